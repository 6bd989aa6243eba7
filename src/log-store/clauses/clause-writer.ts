import { BODY_VALUE } from "../../wire/otlp-decode-logs.ts";
import type { GatheredRows } from "../row-order.ts";
import type { SectionWriter } from "../section-writer.ts";
import type { Section } from "../segment-format.ts";
import type { ClauseColumn } from "./clause-column.ts";
import { AttributeSplitter } from "./attribute-splitter.ts";
import { encodeDictionaries } from "./clause-dictionary.ts";
import { encodeClauses } from "./clause-encoder.ts";
import { VALUE_TEMPLATE } from "./clause-marks.ts";
import { ClauseRecorder } from "./clause-recorder.ts";
import { ClauseTransplant } from "./clause-transplant.ts";
import type { WordSink } from "./text-splitter.ts";
import { TextSplitter } from "./text-splitter.ts";

/** Is told of the words of a column, those of values that are not split included. */
export interface ColumnWords extends WordSink {
  /** A body that is an encoded `AnyValue`. */
  addBody(data: Uint8Array, start: number, end: number): void;
  /** A row's attributes as they are on the wire. */
  addAttributes(data: Uint8Array, start: number, end: number): void;
}

/** Writes one column of a segment as clauses: block by block, and then its dictionaries. */
export class ClauseWriter {
  readonly #name: string;
  readonly #recorder = new ClauseRecorder();
  readonly #text: TextSplitter | undefined;
  readonly #attributes: AttributeSplitter | undefined;
  readonly #words: ColumnWords | undefined;
  readonly #transplant: ClauseTransplant;

  constructor(name: string, kind: "text" | "attributes", words: ColumnWords | undefined) {
    this.#name = name;
    this.#words = words;
    const splitter = new TextSplitter(this.#recorder, words);
    if (kind === "text") this.#text = splitter;
    else this.#attributes = new AttributeSplitter(this.#recorder, words);
    this.#transplant = new ClauseTransplant(this.#recorder, { splitter, kind, words });
  }

  /** The sections of a block's column. */
  encodeBlock(rows: GatheredRows, file: SectionWriter): readonly Section[] {
    const data = this.#record(rows);
    const { shapes, directory, chunks } = encodeClauses(this.#recorder, data, (raw) =>
      file.compress(raw),
    );
    return [
      file.add(shapeIdsName(this.#name), shapes),
      file.add(directoryName(this.#name), directory),
      file.addChunks(chunksName(this.#name), chunks),
    ];
  }

  /** Records all rows, and returns what their slots stand in. */
  #record(rows: GatheredRows): Uint8Array {
    const columns = rows.clauses(this.#name);
    return columns === undefined ? this.#split(rows) : this.#takeOver(rows, columns);
  }

  /** Rows of a merge: they are clauses already. */
  #takeOver(rows: GatheredRows, columns: readonly ClauseColumn[]): Uint8Array {
    const transplant = this.#transplant;
    transplant.beginBlock();
    for (let index = 0; index < rows.count; index++) {
      const { slice, row } = rows.placeOf(index);
      const clauses = this.#recorder.clauses;
      const { start, end } = transplant.addRow(columns[slice], row);
      if (this.#words !== undefined && this.#recorder.clauses > clauses) {
        this.#addWholeValue(this.#words, transplant.data, start, end);
      }
    }
    return transplant.data;
  }

  #split(rows: GatheredRows): Uint8Array {
    // Both stand in the same scratch memory, and the kinds are small.
    const kinds = this.#name === "body" ? rows.u8("body_kind").slice() : undefined;
    const { lengths, data } = rows.bytes(this.#name);
    const recorder = this.#recorder;
    recorder.beginBlock();
    this.#attributes?.beginBlock();
    let start = 0;
    for (let row = 0; row < rows.count; row++) {
      const end = start + lengths[row];
      const clauses = recorder.clauses;
      if (kinds !== undefined && kinds[row] === BODY_VALUE) recorder.wholeValue(start, end);
      else if (this.#text !== undefined) this.#text.splitText(data, start, end);
      else this.#attributes?.splitRow(data, start, end);
      recorder.endRow();
      if (this.#words !== undefined && recorder.clauses > clauses) {
        this.#addWholeValue(this.#words, data, start, end);
      }
      start = end;
    }
    return this.#attributes?.data ?? data;
  }

  /** Tells of the words of the row that was just recorded, where it is kept whole. */
  #addWholeValue(words: ColumnWords, data: Uint8Array, start: number, end: number): void {
    const { clauseTemplates, clauses } = this.#recorder;
    if (clauseTemplates[clauses - 1] !== VALUE_TEMPLATE) return;
    if (this.#attributes === undefined) words.addBody(data, start, end);
    else words.addAttributes(data, start, end);
  }

  encodeDictionaries(): ReturnType<typeof encodeDictionaries> {
    return encodeDictionaries(this.#name, this.#recorder);
  }
}

export function shapeIdsName(column: string): string {
  return `${column}.shape_ids`;
}

export function directoryName(column: string): string {
  return `${column}.directory`;
}

export function chunksName(column: string): string {
  return `${column}.chunks`;
}
