import type { Document, ParsedNode } from "yaml";
import { isScalar, visit } from "yaml";
import type { FindingCode } from "./finding.ts";

/** Of keys and names that are shown in messages. */
const SHOWN_LENGTH_MAX = 60;

/** Something wrong with a document as YAML, at a node of it. */
export interface DocumentProblem {
  readonly code: FindingCode;
  readonly node: ParsedNode;
  readonly message: string;
}

/**
 * Finds keys that stand twice in a map, and aliases without an anchor before them. In proportion to the
 * document: the library compares each key with all others, and leaves aliases to a later exception.
 *
 * Shape:  in the order of the document, `problemsMax` at most.
 */
export function checkDocument(
  document: Document.Parsed,
  problemsMax: number,
): readonly DocumentProblem[] {
  const problems: DocumentProblem[] = [];
  const anchors = new Set<string>();
  const add = (code: FindingCode, node: unknown, message: string): symbol | undefined => {
    if (isParsed(node)) problems.push({ code, node, message });
    return problems.length >= problemsMax ? visit.BREAK : undefined;
  };
  visit(document, {
    Node(_, node) {
      if ("anchor" in node && typeof node.anchor === "string") anchors.add(node.anchor);
    },
    Alias(_, alias) {
      if (anchors.has(alias.source)) return undefined;
      const name = cut(alias.source);
      return add("yaml", alias, `there is no anchor \`&${name}\` before this alias: write it out`);
    },
    Map(_, map) {
      if (map.anchor !== undefined) anchors.add(map.anchor);
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        if (name !== "<<" && seen.has(name)) {
          const message = `the key \`${cut(name)}\` stands here a second time: keep one`;
          if (add("duplicate", key, message) !== undefined) return visit.BREAK;
        }
        seen.add(name);
      }
      return undefined;
    },
  });
  return problems;
}

export function isParsed(value: unknown): value is ParsedNode {
  return (
    typeof value === "object" && value !== null && "range" in value && Array.isArray(value.range)
  );
}

function cut(text: string): string {
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}
