import {
  BYTE_CLASSES,
  CLAUSE_SLOTS_MAX,
  CUT,
  DIGIT,
  DIGITS_MARK,
  LETTER,
  MARK,
  MIXED_MARK,
} from "./clause-marks.ts";
import type { ClauseRecorder } from "./clause-recorder.ts";
import {
  DIGITS_CHILD,
  LABEL_END,
  LABEL_START,
  MIXED_CHILD,
  NODE_FIELDS,
  RECENT_CHILD,
  TEMPLATE,
} from "./template-tree.ts";
import { isHexWord, isMixedWord, WORD_BYTES_MIN, wordEnd } from "./words.ts";

const NONE = -1;

/**
 * Walks the tree of templates along a text: a clause whose template is known costs a comparison of
 * its constant text, and is not split. It finds only what a split would, or says that it does not
 * know; a slot of a mixed word also takes other hexadecimal words, as they stand in UUIDs.
 *
 * Slots go to the recorder as they are met; where the walk ends in nothing they are taken back.
 *
 * Hot: looks at every byte that is sealed. Constant text is compared four bytes at a time.
 */
export class TemplateMatcher {
  /** Where the clause that was found ends. */
  end = 0;
  /** Words of the clause with a digit, but for numbers below `WORD_BYTES_MIN`. */
  readonly wordStarts: Uint32Array = new Uint32Array(CLAUSE_SLOTS_MAX);
  readonly wordEnds: Uint32Array = new Uint32Array(CLAUSE_SLOTS_MAX);
  words = 0;
  readonly #recorder: ClauseRecorder;
  #data: Uint8Array = new Uint8Array(0);
  #dataView: DataView = new DataView(new ArrayBuffer(0));
  #labels: Uint8Array = new Uint8Array(0);
  #labelsView: DataView = new DataView(new ArrayBuffer(0));

  constructor(recorder: ClauseRecorder) {
    this.#recorder = recorder;
  }

  /**
   * The template of the clause that begins at `start`, cut where texts are, or -1. Words begin at
   * `textStart` at the earliest.
   */
  match(data: Uint8Array, start: number, textStart: number, end: number, cuts: boolean): number {
    const recorder = this.#recorder;
    const tree = recorder.templates;
    if (data !== this.#data) {
      this.#data = data;
      this.#dataView = new DataView(data.buffer, data.byteOffset, data.byteLength);
    }
    if (tree.bytes !== this.#labels) {
      this.#labels = tree.bytes;
      this.#labelsView = new DataView(tree.bytes.buffer);
    }
    recorder.reserveSlots(CLAUSE_SLOTS_MAX);
    return this.#walk(start, textStart, end, cuts);
  }

  #walk(start: number, textStart: number, end: number, cuts: boolean): number {
    const recorder = this.#recorder;
    const { slotStarts, slotEnds, slotMarks } = recorder;
    const tree = recorder.templates;
    const { nodes } = tree;
    const labels = this.#labels;
    const data = this.#data;
    let slots = recorder.slots;
    let words = 0;
    let toldUntil = textStart;
    let at = start;
    let node = 0;
    for (;;) {
      const fields = node * NODE_FIELDS;
      if (at === end || (cuts && at > start && BYTE_CLASSES[data[at - 1]] === CUT)) {
        const template = nodes[fields + TEMPLATE];
        if (template < 0) return NONE;
        this.end = at;
        this.words = words;
        recorder.slots = slots;
        return template;
      }
      const byte = data[at];
      const kind = BYTE_CLASSES[byte];
      let child = 0;
      if (kind !== DIGIT || at < textStart) {
        if (kind === MARK && at >= textStart) return NONE;
        child = nodes[fields + RECENT_CHILD];
        if (child === 0 || labels[nodes[child * NODE_FIELDS + LABEL_START]] !== byte) {
          child = tree.literalChild(node, byte);
        }
        if (child > 0) {
          const label = child * NODE_FIELDS;
          at = this.#compare(nodes[label + LABEL_START], nodes[label + LABEL_END], at, end);
          if (at < 0) return NONE;
          node = child;
          continue;
        }
        if (kind !== LETTER || at < textStart) return NONE;
      }
      // A slot.
      const slotStart = at;
      let mark = MIXED_MARK;
      if (kind === DIGIT) {
        do at += 1;
        while (at < end && BYTE_CLASSES[data[at]] === DIGIT);
        const isInWord = slotStart > textStart && BYTE_CLASSES[data[slotStart - 1]] === LETTER;
        const isWhole = at === end || BYTE_CLASSES[data[at]] !== LETTER;
        if (isWhole || isInWord || !isMixedWord(data, slotStart, end)) mark = DIGITS_MARK;
        if (mark === DIGITS_MARK) child = nodes[fields + DIGITS_CHILD];
        if (mark === DIGITS_MARK && child !== 0) {
          if (
            slotStart >= toldUntil &&
            (!isWhole || isInWord || at - slotStart >= WORD_BYTES_MIN)
          ) {
            let wordStart = slotStart;
            while (wordStart > toldUntil && BYTE_CLASSES[data[wordStart - 1]] === LETTER) {
              wordStart -= 1;
            }
            toldUntil = isWhole ? at : wordEnd(data, at, end);
            this.wordStarts[words] = wordStart;
            this.wordEnds[words++] = toldUntil;
          }
        } else if (isInWord) return NONE;
        else mark = MIXED_MARK;
      }
      if (mark === MIXED_MARK) {
        child = nodes[fields + MIXED_CHILD];
        if (child === 0) return NONE;
        at = wordEnd(data, at, end);
        if (!isHexWord(data, slotStart, at) && !isMixedWord(data, slotStart, end)) return NONE;
        this.wordStarts[words] = slotStart;
        this.wordEnds[words++] = at;
        toldUntil = at;
      }
      slotStarts[slots] = slotStart;
      slotEnds[slots] = at;
      slotMarks[slots++] = mark;
      const label = child * NODE_FIELDS;
      at = this.#compare(nodes[label + LABEL_START] + 1, nodes[label + LABEL_END], at, end);
      if (at < 0) return NONE;
      node = child;
    }
  }

  /** Compares a label with the data at `at`; returns where it ends there, or -1. */
  #compare(labelStart: number, labelEnd: number, start: number, end: number): number {
    const length = labelEnd - labelStart;
    if (length > end - start) return NONE;
    let label = labelStart;
    let at = start;
    const data = this.#data;
    const labels = this.#labels;
    if (length >= 4) {
      const dataView = this.#dataView;
      const labelsView = this.#labelsView;
      for (const last = labelEnd - 4; label <= last; label += 4, at += 4) {
        if (dataView.getInt32(at, true) !== labelsView.getInt32(label, true)) return NONE;
      }
    }
    for (; label < labelEnd; label++, at++) if (labels[label] !== data[at]) return NONE;
    return at;
  }
}
