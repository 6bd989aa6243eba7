import { DIGITS_MARK, MIXED_MARK } from "./clause-marks.ts";

const NONE = -1;
const ROOT = 0;

/** Fields of a node: its label in `bytes`, and the template that ends there, or -1. */
export const LABEL_START = 0;
export const LABEL_END = 1;
export const TEMPLATE = 2;
/** Its children that begin with a slot, and the last other one asked for; 0 where there is none. */
export const DIGITS_CHILD = 3;
export const MIXED_CHILD = 4;
export const RECENT_CHILD = 5;
const PARENT = 6;
export const NODE_FIELDS = 8;

/**
 * The templates of a segment while it is written, in a radix tree: the root's label is empty, and
 * children of a node begin with different bytes. Marks are bytes like others, but a mark of digits
 * or of a mixed word stands at the beginning of a label alone.
 *
 *     "took ▯ ms"   "took off"        (root) ── "took " ─┬─ "▯ ms"   template 2
 *                                                        └─ "off"    template 3
 *
 * Labels are ranges of the templates' own bytes. `TemplateMatcher` walks the tree along a text.
 */
export class TemplateTree {
  count = 0;
  /** Template `i` is `bytes[offsets[i], offsets[i + 1])`. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(64 * 1024);
  offsets: Uint32Array<ArrayBuffer> = new Uint32Array(1024);
  /** Letters of each template's mixed words: `LETTER_BITS`. */
  letters: Uint32Array<ArrayBuffer> = new Uint32Array(1024);

  /** `NODE_FIELDS` a node, side by side so that a step of a walk touches one place in memory. */
  nodes: Int32Array<ArrayBuffer> = new Int32Array(2048 * NODE_FIELDS);
  #nodeCount = 1;
  /** Open addressing: (node, first byte of the child's label) to child. */
  #keys = new Int32Array(8192).fill(NONE);
  #children = new Int32Array(8192);
  #childCount = 0;

  /** `fixed` get the first ids and are not in the tree. */
  constructor(fixed: readonly Uint8Array[]) {
    this.nodes[TEMPLATE] = NONE;
    for (const template of fixed) this.#append(template, 0, template.length);
  }

  /** The child of a node whose label begins with `byte`, or -1. */
  childOf(node: number, byte: number): number {
    const slot = this.#slotOf((node << 8) | byte);
    return this.#keys[slot] === NONE ? NONE : this.#children[slot];
  }

  /** The same, for a byte that is no mark, and it is found at once when it is asked for next. */
  literalChild(node: number, byte: number): number {
    const child = this.childOf(node, byte);
    if (child !== NONE) this.#set(node, RECENT_CHILD, child);
    return child;
  }

  #get(node: number, field: number): number {
    return this.nodes[node * NODE_FIELDS + field];
  }

  #set(node: number, field: number, value: number): void {
    this.nodes[node * NODE_FIELDS + field] = value;
  }

  /** The slot of a key, or the empty one where it would go. */
  #slotOf(key: number): number {
    const mask = this.#keys.length - 1;
    let slot = hashKey(key) & mask;
    while (this.#keys[slot] !== key && this.#keys[slot] !== NONE) slot = (slot + 1) & mask;
    return slot;
  }

  /** The id of the template `source[start, end)`, or -1. */
  find(source: Uint8Array, start: number, end: number): number {
    const { node, at, label } = this.#walk(source, start, end);
    return at === end && label === this.#get(node, LABEL_END) ? this.#get(node, TEMPLATE) : NONE;
  }

  /** Adds the template `source[start, end)`, which is not there yet, and returns its id. */
  add(source: Uint8Array, start: number, end: number): number {
    const { node, at, label } = this.#walk(source, start, end);
    const offset = this.offsets[this.count];
    const id = this.#append(source, start, end);
    const parent = label < this.#get(node, LABEL_END) ? this.#split(node, label) : node;
    const from = offset + (at - start);
    this.#set(this.#addPath(parent, from, this.offsets[id + 1]), TEMPLATE, id);
    return id;
  }

  /** Hangs `bytes[start, end)` below a node, a label for each slot and what follows it. */
  #addPath(parent: number, start: number, end: number): number {
    let node = parent;
    for (let from = start; from < end;) {
      let to = from + 1;
      while (to < end && this.bytes[to] > MIXED_MARK) to += 1;
      const child = this.#newNode(from, to);
      this.#putChild(node, this.bytes[from], child);
      node = child;
      from = to;
    }
    return node;
  }

  /** As far as the tree goes along with the bytes: the last node, and where in its label. */
  #walk(
    source: Uint8Array,
    start: number,
    end: number,
  ): { readonly node: number; readonly at: number; readonly label: number } {
    let node = ROOT;
    let at = start;
    for (;;) {
      let label = this.#get(node, LABEL_START);
      const labelEnd = this.#get(node, LABEL_END);
      while (label < labelEnd && at < end && this.bytes[label] === source[at]) {
        label += 1;
        at += 1;
      }
      if (label < labelEnd || at === end) return { node, at, label };
      const child = this.childOf(node, source[at]);
      if (child === NONE) return { node, at, label };
      node = child;
    }
  }

  /** Cuts a node's label in two; returns the new node that ends at `label`. */
  #split(node: number, label: number): number {
    const labelStart = this.#get(node, LABEL_START);
    const parent = this.#get(node, PARENT);
    const upper = this.#newNode(labelStart, label);
    // The new node takes the old one's place below its parent, and the old one hangs below it.
    const first = this.bytes[labelStart];
    this.#children[this.#slotOf((parent << 8) | first)] = upper;
    this.#noteChild(parent, first, upper);
    this.#set(node, LABEL_START, label);
    this.#putChild(upper, this.bytes[label], node);
    return upper;
  }

  #noteChild(parent: number, byte: number, child: number): void {
    this.#set(child, PARENT, parent);
    if (byte === DIGITS_MARK) this.#set(parent, DIGITS_CHILD, child);
    else if (byte === MIXED_MARK) this.#set(parent, MIXED_CHILD, child);
    else this.#set(parent, RECENT_CHILD, child);
  }

  #newNode(labelStart: number, labelEnd: number): number {
    const node = this.#nodeCount++;
    if (this.#nodeCount * NODE_FIELDS > this.nodes.length) {
      const larger = new Int32Array(this.nodes.length * 2);
      larger.set(this.nodes);
      this.nodes = larger;
    }
    this.#set(node, LABEL_START, labelStart);
    this.#set(node, LABEL_END, labelEnd);
    this.#set(node, TEMPLATE, NONE);
    return node;
  }

  #putChild(parent: number, byte: number, child: number): void {
    if (this.#childCount * 2 >= this.#keys.length) this.#rehash();
    this.#place((parent << 8) | byte, child);
    this.#noteChild(parent, byte, child);
    this.#childCount += 1;
  }

  #place(key: number, child: number): void {
    const slot = this.#slotOf(key);
    this.#keys[slot] = key;
    this.#children[slot] = child;
  }

  #rehash(): void {
    const [keys, children] = [this.#keys, this.#children];
    this.#keys = new Int32Array(keys.length * 2).fill(NONE);
    this.#children = new Int32Array(keys.length * 2);
    for (const [slot, key] of keys.entries()) if (key !== NONE) this.#place(key, children[slot]);
  }

  #append(source: Uint8Array, start: number, end: number): number {
    const offset = this.offsets[this.count];
    const length = end - start;
    if (offset + length > this.bytes.length) {
      const larger = new Uint8Array(2 * (this.bytes.length + length));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    if (this.count + 2 > this.offsets.length) {
      this.offsets = grown(this.offsets);
      this.letters = grown(this.letters);
    }
    this.bytes.set(source.subarray(start, end), offset);
    const id = this.count++;
    this.offsets[id + 1] = offset + length;
    return id;
  }
}

function hashKey(key: number): number {
  const hash = Math.imul(key, 0x9e3779b1);
  return hash ^ (hash >>> 15);
}

function grown(values: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(values.length * 2);
  larger.set(values);
  return larger;
}
