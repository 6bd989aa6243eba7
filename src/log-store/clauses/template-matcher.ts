import {
  BYTE_CLASSES,
  CUT,
  DIGIT,
  DIGITS_MARK,
  KEY_END,
  LETTER,
  MIXED_MARK,
} from "./clause-marks.ts";
import type { ClauseRecorder } from "./clause-recorder.ts";
import { isHexWord, isMixedWord, wordEnd } from "./words.ts";

const NONE = -1;

/**
 * Walks the tree of templates along a text: a clause whose template is known costs a comparison a
 * byte, and is not split. It finds only what a split would, or says that it does not know; a slot of
 * a mixed word also takes other hexadecimal words, as they stand in UUIDs.
 *
 * Slots go to the recorder as they are met; where the walk ends in nothing they are taken back.
 */
export class TemplateMatcher {
  /** Where the clause that was found ends. */
  end = 0;
  readonly #recorder: ClauseRecorder;

  constructor(recorder: ClauseRecorder) {
    this.#recorder = recorder;
  }

  /** The template of the clause that begins at `start`, cut where texts are, or -1. */
  match(data: Uint8Array, start: number, end: number, cuts: boolean): number {
    const recorder = this.#recorder;
    const firstSlot = recorder.slots;
    const template = this.#walk(data, start, end, cuts);
    if (template < 0) recorder.slots = firstSlot;
    return template;
  }

  #walk(data: Uint8Array, start: number, end: number, cuts: boolean): number {
    const tree = this.#recorder.templates;
    const { bytes, labelStarts, labelEnds } = tree;
    let node = 0;
    let at = start;
    for (;;) {
      const labelEnd = labelEnds[node];
      for (let label = labelStarts[node]; label < labelEnd; label++) {
        const byte = bytes[label];
        if (byte >= KEY_END) {
          if (at >= end || data[at] !== byte) return NONE;
          at += 1;
        } else {
          at = byte === DIGITS_MARK ? this.#digits(data, at, end) : this.#mixed(data, at, end);
          if (at < 0) return NONE;
        }
      }
      if (at === end || (cuts && at > start && BYTE_CLASSES[data[at - 1]] === CUT)) {
        this.end = at;
        return tree.templates[node];
      }
      node = this.#child(data, start, at, end, node);
      if (node < 0) return NONE;
    }
  }

  /** The child of a node along which the text goes on. */
  #child(data: Uint8Array, start: number, at: number, end: number, node: number): number {
    const tree = this.#recorder.templates;
    const byte = data[at];
    const kind = BYTE_CLASSES[byte];
    if (kind === DIGIT) {
      const isInWord = at > start && BYTE_CLASSES[data[at - 1]] === LETTER;
      const isMixed = !isInWord && isMixedWord(data, at, end);
      return tree.childOf(node, isMixed ? MIXED_MARK : DIGITS_MARK);
    }
    if (byte < KEY_END) return NONE;
    const child = tree.childOf(node, byte);
    return child >= 0 || kind !== LETTER ? child : tree.childOf(node, MIXED_MARK);
  }

  #digits(data: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && BYTE_CLASSES[data[at]] === DIGIT) at += 1;
    if (at === start) return NONE;
    this.#recorder.slot(start, at, DIGITS_MARK);
    return at;
  }

  #mixed(data: Uint8Array, start: number, end: number): number {
    const at = wordEnd(data, start, end);
    if (at === start) return NONE;
    if (!isHexWord(data, start, at) && !isMixedWord(data, start, end)) return NONE;
    this.#recorder.slot(start, at, MIXED_MARK);
    return at;
  }
}
