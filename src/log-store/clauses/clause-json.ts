import type { LineBuffer } from "../line-buffer.ts";
import type { ClauseColumn, ClauseRowReader } from "./clause-column.ts";
import { DIGITS_MARK, MARKS_END } from "./clause-marks.ts";

/** A template's constant text as it stands inside a JSON string, around its slots. */
interface JsonPieces {
  /** One more than there are slots. */
  readonly texts: readonly Uint8Array[];
  readonly marks: Uint8Array;
}

/**
 * Writes clauses of text as the inside of a JSON string. What is constant is escaped once for each
 * template, and of slots only those that are not digits are looked at.
 *
 * Concurrency: as its reader.
 */
export class ClauseJson {
  readonly #reader: ClauseRowReader;
  readonly #column: ClauseColumn;
  readonly #templates: Uint32Array;
  readonly #pieces: (JsonPieces | undefined)[] = [];

  constructor(column: ClauseColumn, reader: ClauseRowReader) {
    this.#column = column;
    this.#reader = reader;
    this.#templates = column.source.shapes().templates;
  }

  /** Writes all clauses of a row whose value is a text. */
  writeText(row: number, out: LineBuffer): void {
    const [from, to] = this.#reader.shapeRange(row);
    for (let index = from; index < to; index++) this.writeClause(row, index, 0, out);
  }

  /**
   * Writes the clause that stands at `index` of the shapes' templates, but for the first `skipped`
   * bytes of its template, in which there is no slot; they are the same in each call.
   */
  writeClause(row: number, index: number, skipped: number, out: LineBuffer): void {
    const template = this.#templates[index];
    const pieces = (this.#pieces[template] ??= this.#piecesOf(template, skipped));
    const { texts, marks } = pieces;
    out.raw(texts[0]);
    if (marks.length === 0) return;
    const { data, starts, ends, count } = this.#reader.locate(row, index);
    let slot = this.#reader.clause;
    for (let each = 0; each < marks.length; each++) {
      if (marks[each] === DIGITS_MARK) out.range(data, starts[slot], ends[slot]);
      else out.escaped(data, starts[slot], ends[slot]);
      out.raw(texts[each + 1]);
      slot += count;
    }
  }

  #piecesOf(template: number, skipped: number): JsonPieces {
    const { bytes, offsets } = this.#column.source.templates();
    const texts: Uint8Array[] = [];
    const marks: number[] = [];
    let start = offsets[template] + skipped;
    const end = offsets[template + 1];
    for (let at = start; at <= end; at++) {
      if (at < end && bytes[at] >= MARKS_END) continue;
      // Marks stand beside whole characters only, so a piece can be escaped by itself.
      const text = Buffer.from(bytes.subarray(start, at)).toString("utf8");
      texts.push(Buffer.from(JSON.stringify(text).slice(1, -1)));
      if (at < end) marks.push(bytes[at]);
      start = at + 1;
    }
    return { texts, marks: Uint8Array.from(marks) };
  }
}
