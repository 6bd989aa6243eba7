import { assert } from "../../core/assert.ts";
import { decodeOffsets, VarintReader } from "../column-codec.ts";
import { KEY_END, MARKS_END } from "./clause-marks.ts";
import type { ClauseRecorder } from "./clause-recorder.ts";
import { VarintWriter, encodeLengths } from "../column-codec.ts";

/** The templates of a segment's column. Immutable. */
export class ClauseTemplates {
  readonly count: number;
  readonly bytes: Uint8Array;
  /** Template `i` is `bytes[offsets[i], offsets[i + 1])`. */
  readonly offsets: Uint32Array;
  /** How many slots each has. */
  readonly slotCounts: Uint16Array;
  readonly byteLength: number;

  constructor(lengths: Uint8Array, bytes: Uint8Array, count: number) {
    this.count = count;
    this.bytes = bytes;
    this.offsets = decodeOffsets(lengths, count);
    assert(this.offsets[count] === bytes.length, "templates have another size than their lengths");
    this.slotCounts = new Uint16Array(count);
    for (let id = 0; id < count; id++) {
      for (let at = this.offsets[id]; at < this.offsets[id + 1]; at++) {
        if (bytes[at] < MARKS_END && bytes[at] !== KEY_END) this.slotCounts[id] += 1;
      }
    }
    this.byteLength = bytes.byteLength + 6 * count;
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

  constructor(lengths: Uint8Array, bytes: Uint8Array, count: number) {
    this.count = count;
    this.offsets = decodeOffsets(lengths, count);
    this.templates = new Uint32Array(this.offsets[count]);
    const reader = new VarintReader(bytes);
    for (let index = 0; index < this.templates.length; index++) {
      this.templates[index] = reader.read();
    }
    this.uses = new Uint32Array(count);
    for (let id = 0; id < count; id++) this.uses[id] = reader.read();
    assert(reader.isAtEnd, "shapes have another size than their lengths");
    this.byteLength = 4 * (this.templates.length + 2 * count);
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
      data: templates.bytes.subarray(0, templates.offsets[templates.count]),
    },
    {
      name: shapesName(column),
      count: shapes.count,
      lengths: encodeLengths(differences(shapes.offsets, shapes.count)),
      data: data.take(),
    },
  ];
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
