import type { AnyValue } from "../../core/any-value.ts";
import { findAttribute } from "../../wire/any-value-decode.ts";
import { PerOwner } from "../block.ts";
import { AttributeRowReader } from "./attribute-rows.ts";
import type { ClauseColumn } from "./clause-column.ts";
import type { ClauseShapes, ClauseTemplates } from "./clause-dictionary.ts";
import { KEY_END, MARKS_END } from "./clause-marks.ts";
import { isEqualRange } from "./equal-range.ts";

const NOT_KNOWN = -2;
const NOT_THERE = -1;

/** Reads one attribute of rows, by its key. Rows whose shape lacks the key cost a look-up. */
export class AttributeReader {
  readonly #key: Uint8Array;
  readonly #rows: AttributeRowReader;
  readonly #templates: ClauseTemplates;
  readonly #shapes: ClauseShapes;
  readonly #shapeIds: Uint32Array;
  /** For each shape: where in the shapes' templates the key's clause stands. */
  readonly #places: Int32Array;
  /** Values that are the same in every row, by template. */
  readonly #constants = new Map<number, AnyValue | undefined>();

  constructor(column: ClauseColumn, key: Uint8Array) {
    const { source } = column;
    this.#key = key;
    this.#rows = new AttributeRowReader(column);
    this.#templates = source.templates();
    this.#shapes = source.shapes();
    this.#shapeIds = source.shapeIds();
    this.#places = places.of(this.#shapes, key);
  }

  read(row: number): AnyValue | undefined {
    const shape = this.#shapeIds[row];
    if (this.#places[shape] === NOT_KNOWN) this.#places[shape] = this.#find(shape);
    const place = this.#places[shape];
    if (place === NOT_THERE) return undefined;
    const template = this.#shapes.templates[place];
    if (this.#templates.slotCounts[template] > 0) return this.#readAt(row, place);
    if (!this.#constants.has(template)) this.#constants.set(template, this.#readAt(row, place));
    return this.#constants.get(template);
  }

  #readAt(row: number, place: number): AnyValue | undefined {
    const end = this.#rows.readField(row, place, 0);
    return findAttribute(this.#rows.bytes, 0, end, this.#key);
  }

  #find(shape: number): number {
    const { offsets, templates } = this.#shapes;
    for (let index = offsets[shape]; index < offsets[shape + 1]; index++) {
      if (this.#mayHaveKey(templates[index])) return index;
    }
    return NOT_THERE;
  }

  /** Whether a template is of the key. The fixed ones hold any bytes. */
  #mayHaveKey(template: number): boolean {
    const { bytes, offsets } = this.#templates;
    const start = offsets[template];
    if (bytes[start] < MARKS_END) return true;
    const keyStart = start + 1;
    const length = this.#key.length;
    return (
      bytes[keyStart + length] === KEY_END && isEqualRange(bytes, keyStart, this.#key, 0, length)
    );
  }
}

/** For each segment and key, made once: blocks of a segment share their shapes. */
class Places {
  readonly #perShapes = new PerOwner<ClauseShapes, Map<string, Int32Array>>(() => new Map());

  of(shapes: ClauseShapes, key: Uint8Array): Int32Array {
    const known = this.#perShapes.of(shapes);
    const text = Buffer.from(key).toString("latin1");
    let found = known.get(text);
    if (found === undefined) {
      found = new Int32Array(shapes.count).fill(NOT_KNOWN);
      known.set(text, found);
    }
    return found;
  }
}

const places = new Places();
