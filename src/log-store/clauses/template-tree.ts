const NONE = -1;
const ROOT = 0;

/**
 * The templates of a segment while it is written, in a radix tree: the root's label is empty, and
 * children of a node begin with different bytes. Marks are bytes like others.
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

  /** Of each node: its label, and the template that ends there, or -1. */
  labelStarts: Uint32Array<ArrayBuffer> = new Uint32Array(2048);
  labelEnds: Uint32Array<ArrayBuffer> = new Uint32Array(2048);
  templates: Int32Array<ArrayBuffer> = new Int32Array(2048).fill(NONE);
  #parents = new Uint32Array(2048);
  #nodeCount = 1;
  /** Open addressing: (node, first byte of the child's label) to child. */
  #keys = new Int32Array(8192).fill(NONE);
  #children = new Int32Array(8192);
  #childCount = 0;

  /** `fixed` get the first ids and are not in the tree. */
  constructor(fixed: readonly Uint8Array[]) {
    for (const template of fixed) this.#append(template, 0, template.length);
  }

  /** The child of a node whose label begins with `byte`, or -1. */
  childOf(node: number, byte: number): number {
    const slot = this.#slotOf((node << 8) | byte);
    return this.#keys[slot] === NONE ? NONE : this.#children[slot];
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
    return at === end && label === this.labelEnds[node] ? this.templates[node] : NONE;
  }

  /** Adds the template `source[start, end)`, which is not there yet, and returns its id. */
  add(source: Uint8Array, start: number, end: number): number {
    const { node, at, label } = this.#walk(source, start, end);
    const offset = this.offsets[this.count];
    const id = this.#append(source, start, end);
    const parent = label < this.labelEnds[node] ? this.#split(node, label) : node;
    const from = offset + (at - start);
    const leaf = at === end ? parent : this.#addChild(parent, from, this.offsets[id + 1]);
    this.templates[leaf] = id;
    return id;
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
      let label = this.labelStarts[node];
      const labelEnd = this.labelEnds[node];
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
    const { labelStarts } = this;
    const upper = this.#newNode(labelStarts[node], label);
    // The new node takes the old one's place below its parent, and the old one hangs below it.
    const parent = this.#parents[node];
    this.#children[this.#slotOf((parent << 8) | this.bytes[labelStarts[node]])] = upper;
    this.#parents[upper] = parent;
    this.labelStarts[node] = label;
    this.#putChild(upper, this.bytes[label], node);
    return upper;
  }

  #addChild(parent: number, labelStart: number, labelEnd: number): number {
    const child = this.#newNode(labelStart, labelEnd);
    this.#putChild(parent, this.bytes[labelStart], child);
    return child;
  }

  #newNode(labelStart: number, labelEnd: number): number {
    if (this.#nodeCount === this.templates.length) {
      this.labelStarts = grown(this.labelStarts);
      this.labelEnds = grown(this.labelEnds);
      this.#parents = grown(this.#parents);
      const templates = new Int32Array(this.templates.length * 2).fill(NONE);
      templates.set(this.templates);
      this.templates = templates;
    }
    const node = this.#nodeCount++;
    this.labelStarts[node] = labelStart;
    this.labelEnds[node] = labelEnd;
    return node;
  }

  #putChild(parent: number, byte: number, child: number): void {
    if (this.#childCount * 2 >= this.#keys.length) this.#rehash();
    this.#place((parent << 8) | byte, child);
    this.#parents[child] = parent;
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
