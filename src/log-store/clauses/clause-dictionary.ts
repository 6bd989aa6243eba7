import { assert } from "../../core/assert.ts";
import { decodeOffsets, decodeVarints, encodeLengths, VarintWriter } from "../column-codec.ts";
import { KEY_END, MARKS_END } from "./clause-marks.ts";
import type { ClauseRecorder } from "./clause-recorder.ts";
import type { TemplateTree } from "./template-tree.ts";

/** The templates of a segment's column. Immutable. */
export class ClauseTemplates {
  readonly count: number;
  readonly bytes: Uint8Array;
  /** Template `i` is `bytes[offsets[i], offsets[i + 1])`. */
  readonly offsets: Uint32Array;
  /** How many slots each has. */
  readonly slotCounts: Uint16Array;
  /** Letters of each one's mixed words: `LETTER_BITS`. */
  readonly letters: Uint32Array;
  readonly byteLength: number;

  /** `data`: the templates' bytes, then their letters, 32 bits each. */
  constructor(lengths: Uint8Array, data: Uint8Array, count: number) {
    this.count = count;
    this.offsets = decodeOffsets(lengths, count);
    const end = this.offsets[count];
    assert(data.length === end + 4 * count, "templates have another size than their lengths");
    const bytes = data.subarray(0, end);
    this.bytes = bytes;
    // A copy: the letters need not stand at a multiple of four.
    this.letters = new Uint32Array(Uint8Array.from(data.subarray(end)).buffer);
    this.slotCounts = new Uint16Array(count);
    for (let id = 0; id < count; id++) {
      for (let at = this.offsets[id]; at < this.offsets[id + 1]; at++) {
        if (bytes[at] < MARKS_END && bytes[at] !== KEY_END) this.slotCounts[id] += 1;
      }
    }
    this.byteLength = data.byteLength + 10 * count;
  }
}

/** The shapes of a segment's column: which templates a value is made of. Immutable. */
export class ClauseShapes {
  readonly count: number;
  /** Shape `i` is `templates[offsets[i], offsets[i + 1])`. */
  readonly templates: Uint32Array;
  readonly offsets: Uint32Array;
  /** Rows of the segment that have the shape. */
  readonly uses: Uint32Array;
  readonly byteLength: number;
  #searches = 0;
  #having: { readonly starts: Uint32Array; readonly shapes: Uint32Array } | undefined;

  constructor(lengths: Uint8Array, bytes: Uint8Array, count: number) {
    this.count = count;
    this.offsets = decodeOffsets(lengths, count);
    this.templates = new Uint32Array(this.offsets[count]);
    this.uses = new Uint32Array(count);
    const templatesEnd = decodeVarints(bytes, 0, this.templates);
    const end = decodeVarints(bytes, templatesEnd, this.uses);
    assert(end === bytes.length, "shapes have another size than their lengths");
    // Twice the templates: which shapes have a template is made with the first search.
    this.byteLength = 8 * (this.templates.length + count);
  }

  /**
   * Whether a search had better look at all shapes than ask for those `having` templates: making
   * these takes longer than looking, so it is worth it only where several searches come.
   */
  isFirstSearch(): boolean {
    const isFirst = this.#searches === 0 && this.#having === undefined;
    this.#searches += 1;
    return isFirst;
  }

  /** The shapes that have a template, in order; a shape is there as often as it has it. */
  having(template: number): Uint32Array {
    this.#having ??= this.#invert();
    const { starts, shapes } = this.#having;
    // A template may be in no shape: what it was made for was kept whole in the end.
    if (template + 1 >= starts.length) return shapes.subarray(0, 0);
    return shapes.subarray(starts[template], starts[template + 1]);
  }

  #invert(): { readonly starts: Uint32Array; readonly shapes: Uint32Array } {
    let last = -1;
    for (const template of this.templates) if (template > last) last = template;
    const starts = new Uint32Array(last + 3);
    for (const template of this.templates) starts[template + 2] += 1;
    for (let template = 1; template < starts.length; template++) {
      starts[template] += starts[template - 1];
    }
    const shapes = new Uint32Array(this.templates.length);
    for (let shape = 0; shape < this.count; shape++) {
      for (let index = this.offsets[shape]; index < this.offsets[shape + 1]; index++) {
        shapes[starts[this.templates[index] + 1]++] = shape;
      }
    }
    return { starts, shapes };
  }
}

/** A dictionary as it goes into a segment. */
interface EncodedDictionary {
  readonly name: string;
  readonly count: number;
  readonly lengths: Uint8Array;
  readonly data: Uint8Array;
}

/** The templates and shapes of a column, once all its blocks are recorded. */
export function encodeDictionaries(
  column: string,
  { templates, shapes }: ClauseRecorder,
): readonly EncodedDictionary[] {
  const data = new VarintWriter();
  for (let index = 0; index < shapes.offsets[shapes.count]; index++) data.write(shapes.ids[index]);
  for (let id = 0; id < shapes.count; id++) data.write(shapes.uses[id]);
  return [
    {
      name: templatesName(column),
      count: templates.count,
      lengths: encodeLengths(differences(templates.offsets, templates.count)),
      data: templatesData(templates),
    },
    {
      name: shapesName(column),
      count: shapes.count,
      lengths: encodeLengths(differences(shapes.offsets, shapes.count)),
      data: data.take(),
    },
  ];
}

function templatesData({ bytes, offsets, letters, count }: TemplateTree): Uint8Array {
  const data = new Uint8Array(offsets[count] + 4 * count);
  data.set(bytes.subarray(0, offsets[count]));
  data.set(new Uint8Array(letters.buffer, 0, 4 * count), offsets[count]);
  return data;
}

export function templatesName(column: string): string {
  return `${column}.templates`;
}

export function shapesName(column: string): string {
  return `${column}.shapes`;
}

function differences(offsets: Uint32Array, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => offsets[index + 1] - offsets[index]);
}
