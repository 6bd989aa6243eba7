import { LOOKED_FOR_MAX } from "./points/series-column.ts";
import type { SeriesColumn } from "./points/series-column.ts";

/** Clears the mask of all rows but these. */
export function keepRows(mask: Uint8Array, rows: readonly number[]): void {
  const kept: number[] = [];
  for (const row of rows) if (mask[row] === 1) kept.push(row);
  mask.fill(0);
  for (const row of kept) mask[row] = 1;
}

/** Clears the mask of rows whose code has the verdict 0. */
export function keepCodes(
  mask: Uint8Array,
  codes: Uint32Array | Uint8Array,
  verdicts: Uint8Array,
): void {
  if (codes instanceof Uint8Array) keepByteCodes(mask, codes, verdicts);
  else keepLongCodes(mask, codes, verdicts);
}

// Two loops that are written alike: each sees arrays of one kind, and is compiled for it.

function keepByteCodes(mask: Uint8Array, codes: Uint8Array, verdicts: Uint8Array): void {
  for (let row = 0; row < mask.length; row++) mask[row] &= verdicts[codes[row]];
}

function keepLongCodes(mask: Uint8Array, codes: Uint32Array, verdicts: Uint8Array): void {
  for (let row = 0; row < mask.length; row++) mask[row] &= verdicts[codes[row]];
}

/** Clears the mask of rows whose series has the verdict 0. */
export function keepSeries(mask: Uint8Array, series: SeriesColumn, verdicts: Uint8Array): void {
  const kept: number[] = [];
  for (let id = verdicts.indexOf(1); id >= 0; id = verdicts.indexOf(1, id + 1)) kept.push(id);
  if (kept.length === series.count) return;
  if (kept.length > LOOKED_FOR_MAX) {
    keepCodes(mask, series.ids, verdicts);
    return;
  }
  // The rows of few series are found by a search, and are known when their points are read.
  const rows: number[] = [];
  for (const id of kept) for (const row of series.rowsOf(id)) rows.push(row);
  keepRows(mask, rows);
}
