import { copyBytes } from "../../wire/byte-ranges.ts";
import type { BytesColumn } from "../block.ts";
import type { ClauseTemplates } from "./clause-dictionary.ts";
import { MARKS_END } from "./clause-marks.ts";
import type { Part } from "./clause-part.ts";

/** Clauses are put together until their texts take so much. */
const BATCH_BYTES = 128 * 1024;
/** Stands behind each text; no clause goes on behind one. */
const NEWLINE = 0x0a;

/** Texts of a part's clauses from `first` on, one behind the other, each with a newline behind it. */
export interface ClauseBatch {
  readonly first: number;
  readonly texts: BytesColumn;
}

/** Puts together all clauses of a part of a text's template, some hundreds or thousands a batch. */
export function* clauseTexts(
  { bytes, offsets }: ClauseTemplates,
  template: number,
  part: Part,
): Generator<ClauseBatch> {
  const pieces = piecesOf(bytes.subarray(offsets[template], offsets[template + 1]));
  const constant = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const { data, starts, ends, count } = part;
  for (let first = 0; first < count;) {
    let size = 0;
    let to = first;
    for (; to < count && (to === first || size < BATCH_BYTES); to++) {
      size += constant + 1;
      for (let slot = to; slot < starts.length; slot += count) size += ends[slot] - starts[slot];
    }
    const target = new Uint8Array(size);
    const textStarts = new Uint32Array(to - first);
    const textEnds = new Uint32Array(to - first);
    let end = 0;
    for (let clause = first; clause < to; clause++) {
      textStarts[clause - first] = end;
      let slot = clause;
      for (const piece of pieces) {
        end = copyBytes(piece, 0, piece.length, target, end);
        if (slot < starts.length) end = copyBytes(data, starts[slot], ends[slot], target, end);
        slot += count;
      }
      textEnds[clause - first] = end;
      target[end++] = NEWLINE;
    }
    yield { first, texts: { data: target, starts: textStarts, ends: textEnds } };
    first = to;
  }
}

/** The constant text before, between and behind the slots. */
function piecesOf(template: Uint8Array): readonly Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at <= template.length; at++) {
    if (at < template.length && template[at] >= MARKS_END) continue;
    pieces.push(template.subarray(start, at));
    start = at + 1;
  }
  return pieces;
}
