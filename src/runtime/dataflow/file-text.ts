import type { Document, ParsedNode } from "yaml";
import { isMap, isPair, isScalar, LineCounter, parseDocument } from "yaml";

/** Written by hand, larger is a mistake. */
export const FILE_BYTES_MAX = 1024 * 1024;
const ALIASES_MAX = 100;

/** Something wrong, or worth knowing, in a dataflow file. Lines and columns are counted from 1. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  /** What was found, and what to do. */
  readonly message: string;
}

export type FilePath = readonly (string | number)[];

/** A file's values, and where each of them stands. */
export interface FileText {
  readonly value: unknown;
  problemAt(path: FilePath, message: string): Problem;
  /** The same at the key that the path ends with. */
  problemAtKey(path: FilePath, message: string): Problem;
}

export type FileTextResult =
  | { readonly status: "read"; readonly file: FileText }
  | { readonly status: "broken"; readonly problems: readonly Problem[] };

/** Reads YAML: one document, unique keys, merge keys as dora-rs has them, aliases within a limit. */
export function readFileText(text: string): FileTextResult {
  if (Buffer.byteLength(text) > FILE_BYTES_MAX) {
    const message = `the file is larger than ${FILE_BYTES_MAX} bytes`;
    return { status: "broken", problems: [{ line: 1, column: 1, message }] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    version: "1.2",
    schema: "core",
    merge: true,
    uniqueKeys: true,
    prettyErrors: false,
  });
  const at = (offset: number, message: string): Problem => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1), message };
  };
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    return {
      status: "broken",
      problems: broken.map(({ message, pos }) => at(pos[0], firstLine(message))),
    };
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch {
    const message = `the file's aliases grow to more than ${ALIASES_MAX} times their text`;
    return { status: "broken", problems: [at(0, message)] };
  }
  return {
    status: "read",
    file: {
      value,
      problemAt: (path, message) => at(offsetAt(document, path, false), message),
      problemAtKey: (path, message) => at(offsetAt(document, path, true), message),
    },
  };
}

function firstLine(message: string): string {
  const line = message.split("\n", 1)[0] ?? "";
  return line.charAt(0).toLowerCase() + line.slice(1);
}

/** Where a value stands, or the nearest one around it that is written out. */
function offsetAt(document: Document.Parsed, path: FilePath, isKey: boolean): number {
  let node: ParsedNode | null = document.contents;
  let offset = node?.range[0] ?? 0;
  for (const [index, step] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find(
        ({ key }) => isScalar(key) && String(key.value) === String(step),
      );
      if (!isPair(pair)) return offset;
      const isLast = index === path.length - 1;
      const target: ParsedNode | null = isKey && isLast ? pair.key : (pair.value ?? pair.key);
      offset = target?.range[0] ?? offset;
      node = pair.value;
      continue;
    }
    const next: unknown =
      node === null ? undefined : document.getIn([...path.slice(0, index + 1)], true);
    if (!isNode(next)) return offset;
    node = next;
    offset = node.range[0];
  }
  return offset;
}

function isNode(value: unknown): value is ParsedNode {
  return (
    typeof value === "object" && value !== null && "range" in value && Array.isArray(value.range)
  );
}
