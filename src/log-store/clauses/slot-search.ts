import type { ClauseColumn } from "./clause-column.ts";
import type { Part } from "./clause-part.ts";
import { NO_ROW } from "./template-search.ts";
import { VALUE_TEMPLATE } from "./clause-marks.ts";

/**
 * Rows that hold `literal` within one slot of a template that `wanted` names (not `NO_ROW`), 1
 * each; and all rows of odd values, which are not text. Each chunk that has such a template is
 * searched as a whole, and a hit is put down to its part, clause and row.
 */
export function findInSlots(
  column: ClauseColumn,
  literal: Uint8Array,
  wanted: Uint8Array,
  rowsOf: (template: number) => Uint32Array = (template) => column.rowsOf(template),
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
    if (isWanted) searchChunk(column, literal, { chunk, first, end: part, wanted, rowsOf, found });
  }
  return found;
}

function searchChunk(
  column: ClauseColumn,
  literal: Uint8Array,
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
  const bytes = column.source.chunk(chunk);
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let part = first;
  let opened: { readonly index: number; readonly part: Part } | undefined;
  let at = haystack.indexOf(literal);
  while (at >= 0) {
    while (part + 1 < end && directory.partOffsets[part + 1] <= at) part += 1;
    const template = directory.partTemplates[part];
    if (wanted[template] !== NO_ROW) {
      if (opened?.index !== part) opened = { index: part, part: column.part(part) };
      const clause = clauseAt(opened.part, at, literal.length);
      if (clause >= 0) {
        found[rowsOf(template)[directory.partFirsts[part] + clause]] = 1;
      }
    }
    at = haystack.indexOf(literal, at + 1);
  }
}

/** The clause of a part one of whose slots holds the bytes at `offset`, or -1. */
function clauseAt({ starts, ends, count }: Part, offset: number, length: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle] <= offset) low = middle + 1;
    else high = middle;
  }
  // Slots stand in the chunk in the order of their numbers; empty ones may begin where others do.
  const slot = low - 1;
  return slot >= 0 && offset + length <= ends[slot] ? slot % count : -1;
}
