import { anyValueToText } from "../../core/any-value.ts";
import { decodeAnyValue, decodeAttributes } from "../../wire/any-value-decode.ts";
import type { WordSink } from "../clauses/text-splitter.ts";
import { forEachDigitWord } from "./digit-words.ts";
import { FilterBuilder } from "./filter-builder.ts";
import { KeyHasher } from "./filter-key.ts";
import { FilterLines } from "./filter-lines.ts";
import { KeySet } from "./key-set.ts";
import { hashWord } from "./word-keys.ts";

/** About one other word in a hundred passes. */
const SEGMENT_BITS_PER_KEY = 10;
/** About one in thirty: behind the segment's filter it is asked for few words only. */
const BLOCK_BITS_PER_KEY = 7;

/** A segment of fewer rows has few blocks, of which a rare word's search reads each in no time. */
const BLOCK_FILTERS_ROWS_MIN = 4 * 65_536;

/** Different words that a segment's filter has room for. Logs have about 1.5. */
const WORDS_PER_ROW_MAX = 3;

/** Values of a block that must be decoded to see their words; with more, its words are unknown. */
const DECODED_VALUES_MAX = 1024;

/**
 * Filters of the words with a digit that free text looks at, while a segment is written: one for
 * each block, in large segments, and one for the segment. Words are unknown where it would take
 * too long to find them; there is no filter then.
 *
 * Hot: `addWord` runs for each such word that is sealed; it allocates nothing for ASCII.
 */
export class WordFilterWriter implements WordSink {
  readonly #hasher = new KeyHasher();
  readonly #block = new KeySet();
  readonly #segment: FilterBuilder;
  readonly #hasBlockFilters: boolean;
  #isSegmentKnown = true;
  #decodedValues = 0;

  /** `rows` of the segment. */
  constructor(rows: number) {
    this.#segment = new FilterBuilder(rows * WORDS_PER_ROW_MAX, SEGMENT_BITS_PER_KEY);
    this.#hasBlockFilters = rows >= BLOCK_FILTERS_ROWS_MIN;
  }

  addWord(data: Uint8Array, start: number, end: number): void {
    hashWord(this.#hasher, data, start, end);
    this.#block.add(this.#hasher.high, this.#hasher.low);
  }

  addText(text: Uint8Array): void {
    forEachDigitWord(text, (start, end) => this.addWord(text, start, end));
  }

  addBody(data: Uint8Array, start: number, end: number): void {
    if (!this.#mayDecode()) return;
    this.addText(Buffer.from(anyValueToText(decodeAnyValue(data, start, end))));
  }

  addAttributes(data: Uint8Array, start: number, end: number): void {
    if (!this.#mayDecode()) return;
    for (const value of decodeAttributes(data, start, end).values()) {
      if (typeof value === "string") this.addText(Buffer.from(value));
    }
  }

  #mayDecode(): boolean {
    this.#decodedValues += 1;
    return this.#decodedValues <= DECODED_VALUES_MAX;
  }

  /** Ends a block; its filter as it stands in a file, undefined where it has none. */
  endBlock(): Uint8Array | undefined {
    const isKnown = this.#decodedValues <= DECODED_VALUES_MAX;
    if (!isKnown) this.#isSegmentKnown = false;
    const lines =
      isKnown && this.#hasBlockFilters
        ? FilterLines.forKeys(this.#block.count, BLOCK_BITS_PER_KEY)
        : undefined;
    this.#block.forEach((high, low) => {
      lines?.add(high, low);
      this.#segment.add(high, low);
    });
    this.#block.clear();
    this.#decodedValues = 0;
    return lines?.encode();
  }

  /** The segment's filter as it stands in a file; undefined where words are unknown. */
  endSegment(): Uint8Array | undefined {
    return this.#isSegmentKnown ? this.#segment.finish() : undefined;
  }
}
