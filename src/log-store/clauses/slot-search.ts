import { decodeText } from "../../wire/any-value-decode.ts";
import { lowerAscii } from "../byte-search.ts";
import { ByteFinder } from "./byte-finder.ts";
import type { ClauseColumn } from "./clause-column.ts";
import { VALUE_TEMPLATE } from "./clause-marks.ts";
import type { Part } from "./clause-part.ts";
import { NO_ROW } from "./template-search.ts";

/** What is looked for in slots: bytes, or what an expression matches. */
export type SlotNeedle =
  | {
      readonly kind: "bytes";
      readonly bytes: Uint8Array;
      /** The bytes are ASCII in lower case, and stand there in any. */
      readonly anyCase: boolean;
    }
  | {
      readonly kind: "digits";
      /** Matches runs of digits alone; has flag `g`. */
      readonly pattern: RegExp;
      readonly test: (text: string) => boolean;
    };

/**
 * Rows that hold the needle within one slot of a template that `wanted` names (not `NO_ROW`), 1
 * each; and all rows of odd values, which are not text. Each chunk that has such a template is
 * searched as a whole, and a hit is put down to its part, clause and row.
 */
export function findInSlots(
  column: ClauseColumn,
  needle: SlotNeedle,
  wanted: Uint8Array,
  rowsOf: (template: number) => Uint32Array = column.rowsOfFew(),
): Uint8Array {
  const found = new Uint8Array(column.rows);
  const directory = column.source.directory();
  if (directory.firstPart(VALUE_TEMPLATE) >= 0) {
    for (const row of rowsOf(VALUE_TEMPLATE)) found[row] = 1;
  }
  let part = 0;
  for (let chunk = 0; chunk < directory.chunkCount; chunk++) {
    const first = part;
    let isWanted = false;
    for (; directory.partChunks[part] === chunk; part++) {
      if (wanted[directory.partTemplates[part]] !== NO_ROW) isWanted = true;
    }
    if (isWanted) searchChunk(column, needle, { chunk, first, end: part, wanted, rowsOf, found });
  }
  return found;
}

function searchChunk(
  column: ClauseColumn,
  needle: SlotNeedle,
  {
    chunk,
    first,
    end,
    wanted,
    rowsOf,
    found,
  }: {
    readonly chunk: number;
    /** Its parts. */
    readonly first: number;
    readonly end: number;
    readonly wanted: Uint8Array;
    readonly rowsOf: (template: number) => Uint32Array;
    readonly found: Uint8Array;
  },
): void {
  const directory = column.source.directory();
  const bytes = column.source.chunk(chunk, "scan");
  const find = finderOf(needle, bytes);
  let part = first;
  let opened: { readonly index: number; readonly part: Part } | undefined;
  for (let hit = find(0); hit !== undefined;) {
    while (part + 1 < end && directory.partOffsets[part + 1] <= hit.start) part += 1;
    const template = directory.partTemplates[part];
    let next = hit.start + 1;
    if (wanted[template] !== NO_ROW) {
      if (opened?.index !== part) opened = { index: part, part: column.part(part, "scan") };
      const slot = slotAt(opened.part, hit.start);
      const { starts, ends, count } = opened.part;
      if (slot >= 0 && holds(needle, bytes, hit, { start: starts[slot], end: ends[slot] })) {
        found[rowsOf(template)[directory.partFirsts[part] + (slot % count)]] = 1;
        next = ends[slot];
      }
    }
    hit = find(next);
  }
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Finds the first hit from an offset on, lengths between slots included. */
function finderOf(needle: SlotNeedle, bytes: Uint8Array): (from: number) => Range | undefined {
  if (needle.kind === "digits") {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    const { pattern } = needle;
    return (from) => {
      pattern.lastIndex = from;
      const match = pattern.exec(text);
      return match === null ? undefined : { start: match.index, end: pattern.lastIndex };
    };
  }
  const searched = needle.anyCase ? lowerAscii(bytes) : bytes;
  const finder = new ByteFinder(needle.bytes);
  return (from) => {
    const start = finder.find(searched, from);
    return start < 0 ? undefined : { start, end: start + needle.bytes.length };
  };
}

/** Whether a slot in which a hit begins holds the needle. */
function holds(needle: SlotNeedle, bytes: Uint8Array, hit: Range, slot: Range): boolean {
  if (hit.end <= slot.end) return true;
  // A match that goes on behind the slot may hide a shorter one that does not.
  return needle.kind === "digits" && needle.test(decodeText(bytes, slot.start, slot.end));
}

/** The slot of a part that holds the byte at `offset`, or -1. */
function slotAt({ starts, ends }: Part, offset: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle] <= offset) low = middle + 1;
    else high = middle;
  }
  // Slots stand in the chunk in the order of their numbers; empty ones may begin where others do.
  const slot = low - 1;
  return slot >= 0 && offset < ends[slot] ? slot : -1;
}
