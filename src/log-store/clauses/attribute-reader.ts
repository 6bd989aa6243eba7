import type { AnyValue } from "../../core/any-value.ts";
import { findAttribute } from "../../wire/any-value-decode.ts";
import { PerOwner } from "../block.ts";
import { AttributeRowReader } from "./attribute-rows.ts";
import { valueStart } from "./attribute-values.ts";
import type { ClauseColumn } from "./clause-column.ts";
import type { ClauseShapes, ClauseTemplates } from "./clause-dictionary.ts";
import { VALUE_TEMPLATE } from "./clause-marks.ts";

const NOT_KNOWN = -2;
/** The key may stand in any of the row's clauses that have no template of their own. */
const ANYWHERE = -3;
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
    if (place === ANYWHERE) return this.#readAnywhere(row, shape);
    const template = this.#shapes.templates[place];
    if (this.#templates.slotCounts[template] > 0) return this.#readAt(row, place);
    if (!this.#constants.has(template)) this.#constants.set(template, this.#readAt(row, place));
    return this.#constants.get(template);
  }

  #readAt(row: number, place: number): AnyValue | undefined {
    const end = this.#rows.readField(row, place, 0);
    return findAttribute(this.#rows.bytes, 0, end, this.#key);
  }

  /** A key stands in a row once, unless the row is odd as a whole. */
  #readAnywhere(row: number, shape: number): AnyValue | undefined {
    const { offsets, templates } = this.#shapes;
    for (let index = offsets[shape]; index < offsets[shape + 1]; index++) {
      if (templates[index] > VALUE_TEMPLATE) continue;
      const value = this.#readAt(row, index);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  #find(shape: number): number {
    const { offsets, templates } = this.#shapes;
    let place = NOT_THERE;
    for (let index = offsets[shape]; index < offsets[shape + 1]; index++) {
      const template = templates[index];
      if (template <= VALUE_TEMPLATE) place = ANYWHERE;
      else if (valueStart(this.#templates, template, this.#key) >= 0) return index;
    }
    return place;
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
