import type { Document } from "yaml";
import { isAlias, isMap, isScalar, isSeq, parseDocument } from "yaml";
import { checkDocument, isParsed } from "./document-check.ts";
import type { Finding } from "./finding.ts";
import { FINDINGS_MAX } from "./finding.ts";

/** Written by hand, larger is a mistake. */
export const FILE_BYTES_MAX = 1024 * 1024;
/** Times that aliases may multiply the text. */
const ALIASES_MAX = 100;
/** Of values that are shown in messages. */
const SHOWN_LENGTH_MAX = 60;

export type FilePath = readonly (string | number)[];

/** Where something stands: as in `Finding`. */
export type Place = Pick<Finding, "line" | "column" | "length">;

/** A file's values, and where each of them stands. */
export interface FileText {
  readonly value: unknown;
  /** Of a value, or of the key that the path ends with; of what is around it where it is not written out. */
  placeOf(path: FilePath, isKey: boolean): Place;
  /** How a scalar is written, without quotes; undefined for anything else. */
  sourceOf(path: FilePath): string | undefined;
}

export type FileTextResult =
  | { readonly status: "read"; readonly file: FileText }
  | { readonly status: "broken"; readonly problems: readonly Finding[] };

/**
 * Reads YAML 1.2: one document, unique keys, merge keys, aliases within a limit.
 *
 * Limits: `FILE_BYTES_MAX`; time and memory in proportion to the text.
 */
export function readFileText(text: string): FileTextResult {
  if (Buffer.byteLength(text) > FILE_BYTES_MAX) {
    const message = `the file is larger than ${FILE_BYTES_MAX} bytes: leave data to files of its own`;
    return { status: "broken", problems: [{ code: "limit", ...START, message }] };
  }
  let document: Document.Parsed;
  try {
    // Duplicate keys are looked for below, since the library compares each key with all others.
    document = parseDocument(text, {
      version: "1.2",
      schema: "core",
      merge: true,
      uniqueKeys: false,
      prettyErrors: false,
    });
  } catch {
    return { status: "broken", problems: [{ code: "limit", ...START, message: TOO_DEEP }] };
  }
  const lineStarts = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)];
  const placeAt = (start: number, end: number): Place => {
    const line = countUpTo(lineStarts, Math.min(start, text.length));
    const lineStart = lineStarts[line - 1] ?? 0;
    const meant = text.slice(start, end).split(/\r?\n/, 1)[0] ?? "";
    return { line, column: start - lineStart + 1, length: Math.max(meant.trimEnd().length, 1) };
  };
  const problems: Finding[] = [];
  for (const { message, pos } of [...document.errors, ...document.warnings].slice(
    0,
    FINDINGS_MAX,
  )) {
    // The library catches what its recursion ends with.
    if (message.includes("call stack")) {
      const deep: Finding = { code: "limit", ...placeAt(...pos), message: TOO_DEEP };
      return { status: "broken", problems: [deep] };
    }
    problems.push({ code: "yaml", ...placeAt(...pos), message: asClause(message) });
  }
  for (const { code, node, message } of checkDocument(document, FINDINGS_MAX)) {
    problems.push({ code, ...placeAt(node.range[0], node.range[1]), message });
  }
  if (problems.length > 0) return { status: "broken", problems };
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch {
    const message = `the file's aliases repeat more than ${ALIASES_MAX} times their text: write it out`;
    return { status: "broken", problems: [{ code: "limit", ...START, message }] };
  }
  return {
    status: "read",
    file: {
      value,
      placeOf: (path, isKey) => placeAt(...rangeOf(document, path, isKey)),
      sourceOf: (path) => {
        const { node, isWhole } = findNode(document, path);
        return isWhole && isScalar(node) ? node.source : undefined;
      },
    },
  };
}

/** How a value looks in a message. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return JSON.stringify(cut(value));
  return typeof value === "number" || typeof value === "boolean" ? String(value) : "a map";
}

const TOO_DEEP = "the file's values are nested too deep: a dataflow file needs ten levels";
const START: Place = { line: 1, column: 1, length: 1 };

function cut(text: string): string {
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}

/** The first line of the library's message, which is a sentence. */
function asClause(message: string): string {
  const line = message.split("\n", 1)[0] ?? "";
  return line.charAt(0).toLowerCase() + line.slice(1);
}

/** How many of these ascending numbers are not larger. */
function countUpTo(numbers: readonly number[], value: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The node that a path leads to, or the last one on the way that is written out. */
function findNode(
  document: Document.Parsed,
  path: FilePath,
): { readonly node: unknown; readonly key: unknown; readonly isWhole: boolean } {
  let node: unknown = document.contents;
  let key: unknown;
  for (const step of path) {
    const target = isAlias(node) ? node.resolve(document) : node;
    if (isMap(target)) {
      const pair = target.items.find(
        (item) => isScalar(item.key) && String(item.key.value) === String(step),
      );
      if (pair === undefined) return { node, key, isWhole: false };
      key = pair.key;
      node = pair.value ?? pair.key;
    } else if (isSeq(target) && typeof step === "number" && step < target.items.length) {
      key = undefined;
      node = target.items[step];
    } else return { node, key, isWhole: false };
  }
  return { node, key, isWhole: true };
}

function rangeOf(
  document: Document.Parsed,
  path: FilePath,
  isKey: boolean,
): readonly [number, number] {
  const { node, key, isWhole } = findNode(document, path);
  const meant = isKey && isWhole && isParsed(key) ? key : node;
  return isParsed(meant) ? [meant.range[0], meant.range[1]] : [0, 0];
}
