import type { CodePointSet } from "./code-point-set.ts";
import { areDisjoint, isWithin } from "./code-point-set.ts";
import type { RegexNode } from "./regex-syntax.ts";
import { everySet } from "./regex-syntax.ts";

/**
 * How far a match can reach in a text that is cut into clauses:
 *
 *     digits  all that matches is a run of digits, whatever stands beside it
 *     words   as `clause`, and nothing asks what stands beside a match
 *     clause  no match holds a character behind which texts are cut, none is empty
 *     text    anything
 */
export type RegexReach = "digits" | "words" | "clause" | "text";

const DIGITS: CodePointSet = [0x30, 0x39];
/** What `BYTE_CLASSES` has as `CUT`: newline, `"` and `=`. */
const CUTS: CodePointSet = [0x0a, 0x0a, 0x22, 0x22, 0x3d, 0x3d];

export function reachOf(root: RegexNode): RegexReach {
  if (isNullable(root)) return "text";
  if (!everySet(root, (set) => set !== undefined && areDisjoint(set, CUTS))) return "text";
  const assertions = assertionsOf(root);
  // A cut is no part of a word: a word ends at it as it does at the text's end.
  if (assertions.some((assertion) => assertion !== "wordBoundary")) return "text";
  if (assertions.length > 0) return "clause";
  return everySet(root, (set) => set !== undefined && isWithin(set, DIGITS)) ? "digits" : "words";
}

function isNullable(node: RegexNode): boolean {
  switch (node.kind) {
    case "set":
      return false;
    case "assertion":
      return true;
    case "sequence":
      return node.items.every(isNullable);
    case "choice":
      return node.options.some(isNullable);
    case "repeat":
      return node.min === 0 || isNullable(node.item);
  }
}

function assertionsOf(node: RegexNode): readonly string[] {
  switch (node.kind) {
    case "set":
      return [];
    case "assertion":
      return [node.assertion];
    case "sequence":
      return node.items.flatMap(assertionsOf);
    case "choice":
      return node.options.flatMap(assertionsOf);
    case "repeat":
      return assertionsOf(node.item);
  }
}
