import { anyValueToText } from "../../core/any-value.ts";
import { decodeAnyValue, decodeAttributes } from "../../wire/any-value-decode.ts";
import type { WordSink } from "../clauses/text-splitter.ts";
import { forEachDigitWord } from "./digit-words.ts";
import { FilterBuilder } from "./filter-builder.ts";
import { CASE_BITS, isAsciiGroup, KeyHasher } from "./filter-key.ts";
import { RecentWords } from "./recent-words.ts";
import { BLOCK_ROWS_MAX } from "../table-schema.ts";
import { hashWord, isShortWord } from "./word-keys.ts";

/** About one other word in a hundred passes. */
const SEGMENT_BITS_PER_KEY = 10;
/** About one in thirty: behind the segment's filter it is asked for few words only. */
const BLOCK_BITS_PER_KEY = 7;

/** A segment of fewer rows has few blocks, of which a rare word's search reads each in no time. */
const BLOCK_FILTERS_ROWS_MIN: number = 4 * BLOCK_ROWS_MAX;

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
  readonly #recent = new RecentWords();
  readonly #segment: FilterBuilder;
  readonly #block: FilterBuilder | undefined;
  /** What words were last read from. */
  #data: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#data.buffer);
  #isSegmentKnown = true;
  #decodedValues = 0;

  /** `rows` of the segment. */
  constructor(rows: number) {
    this.#segment = new FilterBuilder(rows * WORDS_PER_ROW_MAX, SEGMENT_BITS_PER_KEY);
    if (rows >= BLOCK_FILTERS_ROWS_MIN) {
      this.#block = new FilterBuilder(BLOCK_ROWS_MAX * WORDS_PER_ROW_MAX, BLOCK_BITS_PER_KEY);
    }
  }

  addWord(data: Uint8Array, start: number, end: number): void {
    if (isShortWord(data, start, end)) return;
    const length = end - start;
    if (length <= SHORT_WORD_BYTES && start + SHORT_WORD_BYTES <= data.length) {
      if (data !== this.#data) this.#setData(data);
      const first = (this.#view.getUint32(start, true) | CASE_BITS) & FIRST_MASKS[length];
      const second = (this.#view.getUint32(start + 4, true) | CASE_BITS) & SECOND_MASKS[length];
      if (isAsciiGroup(first | second)) {
        if (this.#recent.has(first, second)) return;
        this.#hasher.hashGroups(first, second);
        this.#addKey();
        return;
      }
    }
    hashWord(this.#hasher, data, start, end);
    this.#addKey();
  }

  #addKey(): void {
    const { high, low } = this.#hasher;
    this.#segment.add(high, low);
    this.#block?.add(high, low);
  }

  #setData(data: Uint8Array): void {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
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
    this.#decodedValues = 0;
    if (this.#block === undefined) return undefined;
    this.#recent.clear();
    const filter = this.#block.take();
    return isKnown ? filter : undefined;
  }

  /** The segment's filter as it stands in a file; undefined where words are unknown. */
  endSegment(): Uint8Array | undefined {
    return this.#isSegmentKnown ? this.#segment.take() : undefined;
  }
}

/** Words up to here are read as two groups of four bytes. */
const SHORT_WORD_BYTES = 8;

/** What of the first and of the second group belongs to a word, by the word's length. */
const FIRST_MASKS = Int32Array.of(0, 0xff, 0xffff, 0xff_ffff, -1, -1, -1, -1, -1);
const SECOND_MASKS = Int32Array.of(0, 0, 0, 0, 0, 0xff, 0xffff, 0xff_ffff, -1);
