import type { CodePointSet } from "./code-point-set.ts";
import {
  areDisjoint,
  EVERY_BUT_NEWLINE,
  EVERY_CODE_POINT,
  isWithin,
  NEWLINE,
} from "./code-point-set.ts";
import { fixedLength, stepsPerPlace } from "./regex-cost.ts";
import type { RegexNode } from "./regex-syntax.ts";
import { everySet } from "./regex-syntax.ts";

/**
 * A pattern cut at each `.*`: it matches where its pieces stand one after the other, anywhere in
 * one line (`"line"`) or in the text (`"text"`). Never empty.
 */
export interface RegexBranch {
  readonly pieces: readonly (readonly RegexNode[])[];
  readonly within: "line" | "text";
}

/** Steps of one search at each place of a text, at the most: see `regex-cost.ts`. */
export const STEPS_PER_PLACE_MAX = 128;

/** Branches that one pattern may become; each is searched for by itself. */
const BRANCHES_MAX = 8;

/**
 * Cuts a pattern into branches, any of which must match, all of which a backtracking engine can
 * search in time proportional to the text; undefined where no such cut is found.
 *
 * Pieces but the last have matches of one length, so that the first match found ends first, and
 * nothing is lost by looking for the next piece after it.
 */
export function splitRegex(root: RegexNode): readonly RegexBranch[] | undefined {
  if (!isKnown(root)) return undefined;
  return splitItems(flatten(root), BRANCHES_MAX);
}

function splitItems(
  items: readonly RegexNode[],
  branchesMax: number,
): readonly RegexBranch[] | undefined {
  if (branchesMax < 1) return undefined;
  const branch = cut(items);
  if (branch !== undefined) return [branch];
  const at = items.findIndex((item) => optionsOf(item) !== undefined);
  const options = at < 0 ? undefined : optionsOf(items[at]);
  if (options === undefined) return undefined;
  const branches: RegexBranch[] = [];
  for (const option of options) {
    const replaced = [...items.slice(0, at), ...flatten(option), ...items.slice(at + 1)];
    const found = splitItems(replaced, branchesMax - branches.length);
    if (found === undefined) return undefined;
    branches.push(...found);
  }
  return branches.length > branchesMax ? undefined : branches;
}

/** What a choice, or an optional part, may be written out as. */
function optionsOf(node: RegexNode): readonly RegexNode[] | undefined {
  if (node.kind === "choice") return node.options;
  const isOptional = node.kind === "repeat" && node.min === 0 && node.max === 1;
  return isOptional ? [node.item, { kind: "sequence", items: [] }] : undefined;
}

function cut(untrimmed: readonly RegexNode[]): RegexBranch | undefined {
  const items = trimEnd(trimStart(untrimmed, undefined), undefined);
  const gaps = items.map(gapSet);
  const inText = gaps.some((gap) => gap !== undefined && !areDisjoint(gap, NEWLINE));
  const gapItems = inText ? EVERY_CODE_POINT : EVERY_BUT_NEWLINE;
  const pieces: RegexNode[][] = [[]];
  for (const [index, item] of items.entries()) {
    const gap = gaps[index];
    if (gap === undefined || item.kind !== "repeat") pieces[pieces.length - 1].push(item);
    else if (!isWithin(gapItems, gap)) return undefined;
    else pieces.push(item.min > 0 ? [{ ...item, max: item.min }] : []);
  }
  const trimmed = pieces
    .map((piece, index) => {
      const before = index === 0 ? undefined : gapItems;
      const after = index === pieces.length - 1 ? undefined : gapItems;
      return expandLoops(trimEnd(trimStart(piece, before), after));
    })
    .filter((piece) => piece.length > 0);
  const branch: RegexBranch = {
    pieces: trimmed.length === 0 ? [[]] : trimmed,
    within: inText ? "text" : "line",
  };
  return isSearchable(branch) ? branch : undefined;
}

function isSearchable({ pieces, within }: RegexBranch): boolean {
  if (!pieces.every((piece) => stepsPerPlace(piece) <= STEPS_PER_PLACE_MAX)) return false;
  if (pieces.length === 1) return true;
  if (pieces.slice(0, -1).some((piece) => fixedLength(piece) === undefined)) return false;
  return within === "text" || pieces.every((piece) => piece.every(staysInLine));
}

/** Sequences inside a sequence become one. */
function flatten(node: RegexNode): readonly RegexNode[] {
  if (node.kind === "sequence") return node.items.flatMap(flatten);
  if (node.kind !== "repeat" || node.min !== node.max) return [node];
  if (node.max === 0) return [];
  return node.max === 1 ? flatten(node.item) : [node];
}

/** The set of a `.*` or `.+`: all code points, or all but a newline. */
function gapSet(node: RegexNode): CodePointSet | undefined {
  if (node.kind !== "repeat" || node.max !== Infinity || node.item.kind !== "set") return undefined;
  const { set } = node.item;
  return set !== undefined && isWithin(EVERY_BUT_NEWLINE, set) ? set : undefined;
}

/**
 * A repeat that may begin anywhere needs no more rounds than it must have: `\d{4,} ms` is found
 * where `\d{4} ms` is. `before` is what may stand before it, undefined for anything.
 */
function trimStart(
  items: readonly RegexNode[],
  before: CodePointSet | undefined,
): readonly RegexNode[] {
  const [first, ...rest] = items;
  if (first?.kind !== "repeat" || first.min === first.max) return items;
  if (!isAbsorbed(first.item, before)) return items;
  return first.min === 0 ? trimStart(rest, before) : [{ ...first, max: first.min }, ...rest];
}

/** The same for the end. */
function trimEnd(
  items: readonly RegexNode[],
  after: CodePointSet | undefined,
): readonly RegexNode[] {
  const last = items.at(-1);
  if (last?.kind !== "repeat" || last.min === last.max) return items;
  if (!isAbsorbed(last.item, after)) return items;
  const rest = items.slice(0, -1);
  return last.min === 0 ? trimEnd(rest, after) : [...rest, { ...last, max: last.min }];
}

function isAbsorbed(item: RegexNode, by: CodePointSet | undefined): boolean {
  if (by === undefined) return true;
  return item.kind === "set" && item.set !== undefined && isWithin(item.set, by);
}

/** `X{4,}` as `X{4}X*`. */
function expandLoops(items: readonly RegexNode[]): readonly RegexNode[] {
  return items.flatMap((item) =>
    item.kind === "repeat" && item.max === Infinity && item.min > 0
      ? [
          { ...item, max: item.min },
          { ...item, min: 0 },
        ]
      : [item],
  );
}

function isKnown(node: RegexNode): boolean {
  return everySet(node, (set) => set !== undefined);
}

function staysInLine(node: RegexNode): boolean {
  return everySet(node, (set) => set !== undefined && areDisjoint(set, NEWLINE));
}
