import type { Signal } from "../../core/record.ts";
import type { GatheredRows, MergedDictionary } from "../row-order.ts";
import type { SectionWriter } from "../section-writer.ts";
import type { Section } from "../segment-format.ts";
import { FilterBuilder } from "./filter-builder.ts";
import { KeyHasher } from "./filter-key.ts";
import { encodeTraceIndex } from "./trace-index.ts";
import { ID_BYTES } from "./trace-groups.ts";
import { WordFilterWriter } from "./word-filter.ts";

/** Names of sections: of a segment, of a block, or of both. */
export const WORD_FILTER = "words.filter";
export const TRACE_FILTER = "trace_id.filter";
export const TRACE_DIRECTORY = "trace_id.directory";
export const TRACE_PAGES = "trace_id.pages";

/** About one other trace in a hundred passes. */
const TRACE_BITS_PER_KEY = 10;

/** The column of names that free text looks at; of few different values. */
const NAME_COLUMNS: Readonly<Record<Signal, string | undefined>> = {
  logs: "event_name",
  traces: "name",
  metrics: undefined,
};

/** Columns whose words free text looks at. */
const TEXT_COLUMNS: ReadonlySet<string> = new Set(["body", "attributes"]);

/** Writes what a segment is searched by before its rows are read: filters, and the trace index. */
export class FilterWriter {
  readonly #signal: Signal;
  readonly #words: WordFilterWriter;
  readonly #traces: FilterBuilder;
  readonly #hasher = new KeyHasher();

  /** `rows` of the segment. */
  constructor(signal: Signal, rows: number) {
    this.#signal = signal;
    this.#words = new WordFilterWriter(rows);
    this.#traces = new FilterBuilder(rows, TRACE_BITS_PER_KEY);
  }

  /** What a column's words are told to, block by block; undefined where no search asks for them. */
  wordsOf(column: string): WordFilterWriter | undefined {
    return TEXT_COLUMNS.has(column) ? this.#words : undefined;
  }

  /** The sections of a block's trace ids. */
  encodeTraceIds(rows: GatheredRows, file: SectionWriter): readonly Section[] {
    const ids = rows.ids("trace_id", ID_BYTES);
    const { directory, pages } = encodeTraceIndex(ids, (start) => {
      this.#hasher.hash(ids, start, start + ID_BYTES);
      this.#traces.add(this.#hasher.high, this.#hasher.low);
    });
    return [file.addChunks(TRACE_DIRECTORY, [directory]), file.addChunks(TRACE_PAGES, pages)];
  }

  /** Ends a block, whose text columns have been walked. */
  encodeBlock(
    rows: GatheredRows,
    file: SectionWriter,
    dictionaries: ReadonlyMap<string, MergedDictionary>,
  ): readonly Section[] {
    this.#addNames(rows, dictionaries);
    const filter = this.#words.endBlock();
    return filter === undefined ? [] : [file.addChunks(WORD_FILTER, [filter])];
  }

  #addNames(rows: GatheredRows, dictionaries: ReadonlyMap<string, MergedDictionary>): void {
    const column = NAME_COLUMNS[this.#signal];
    const dictionary = column === undefined ? undefined : dictionaries.get(column);
    if (column === undefined || dictionary === undefined) return;
    const ids = rows.dictIds(column, dictionary);
    const isKnown = new Uint8Array(dictionary.entries.length);
    for (let row = 0; row < rows.count; row++) {
      if (isKnown[ids[row]] === 1) continue;
      isKnown[ids[row]] = 1;
      this.#words.addText(dictionary.entries[ids[row]]);
    }
  }

  /** The segment's own sections. */
  encodeSegment(file: SectionWriter): readonly Section[] {
    const words = this.#words.endSegment();
    return [
      ...(words === undefined ? [] : [file.addChunks(WORD_FILTER, [words])]),
      file.addChunks(TRACE_FILTER, [this.#traces.take()]),
    ];
  }
}
