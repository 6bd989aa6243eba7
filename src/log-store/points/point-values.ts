import { assert } from "../../core/assert.ts";
import { VarintReader, VarintWriter } from "../column-codec.ts";
import { decodeLane, encodeLane, integersOf } from "./lane-codec.ts";
import { wordPlaces } from "./point-fields.ts";
import type { SeriesColumn } from "./series-column.ts";

/** The section `points`, which has what `value` and `rest` are elsewhere. */
export const POINTS_SECTION = "points";
export const SERIES_SECTION = "series";

const WORD = 8;

/** The fields of all points of the series stand alike: they are kept as lanes. */
const ALIKE = 0;
/** They do not: `rest` is kept as it is. */
const APART = 1;
/** Alike, and the value is the int64 among them. */
const ALIKE_INT = 2;

/** Values and `rest` of points. Those of point `i` are `data[starts[i], ends[i])`. */
export interface PointValues {
  readonly values: Float64Array;
  readonly rest: PointRest;
}

interface PointRest {
  readonly data: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/**
 * The section `points` of a block: the lengths of all series' parts, varints, then the parts. So one
 * series is read without the others. A part is
 *
 *     0  the lane of values, a point's fields, the lanes of their numbers
 *     1  the lane of values, the lengths of all points' fields, the fields
 *     2  as 0 without the lane of values: they are the int64 among the fields
 *
 * Fields are their length, a varint, and bytes, with zeros where lanes are.
 */
export function encodePoints(
  series: SeriesColumn,
  values: Float64Array,
  rest: { readonly lengths: Uint32Array; readonly data: Uint8Array },
): Uint8Array {
  const offsets = new Uint32Array(rest.lengths.length + 1);
  for (let row = 0; row < rest.lengths.length; row++) {
    offsets[row + 1] = offsets[row] + rest.lengths[row];
  }
  const lengths = new VarintWriter();
  const parts: Uint8Array[] = [];
  for (let id = 0; id < series.keys.length; id++) {
    const rows = series.rowsOf(id);
    const part = encodePart(
      Float64Array.from(rows, (row) => values[row]),
      Array.from(rows, (row) => rest.data.subarray(offsets[row], offsets[row + 1])),
    );
    lengths.write(part.length);
    parts.push(part);
  }
  return Buffer.concat([lengths.take(), ...parts]);
}

function encodePart(values: Float64Array, rests: readonly Uint8Array[]): Uint8Array {
  const words = new Uint8Array(values.buffer);
  const alike = alikeLanes(rests);
  if (alike === undefined) {
    const lengths = new VarintWriter();
    for (const { length } of rests) lengths.write(length);
    return Buffer.concat([Uint8Array.of(APART), encodeLane(words), lengths.take(), ...rests]);
  }
  const { fields, lanes, asInt } = alike;
  const length = new VarintWriter();
  length.write(fields.length);
  const kept = [length.take(), fields, ...lanes.map(encodeLane)];
  const integers = asInt < 0 ? undefined : integersOf(lanes[asInt]);
  const isInt = integers?.every((value, index) => Object.is(value, values[index])) === true;
  return isInt
    ? Buffer.concat([Uint8Array.of(ALIKE_INT), ...kept])
    : Buffer.concat([Uint8Array.of(ALIKE), encodeLane(words), ...kept]);
}

interface AlikeLanes {
  /** A point's fields with zeros where numbers stand. */
  readonly fields: Uint8Array;
  readonly lanes: readonly Uint8Array[];
  readonly asInt: number;
}

/** Points whose fields differ in numbers of eight bytes alone; else undefined. */
function alikeLanes(rests: readonly Uint8Array[]): AlikeLanes | undefined {
  const places = wordPlaces(rests[0]);
  if (places === undefined) return undefined;
  const { offsets, asInt } = places;
  const fields = blanked(rests[0], offsets);
  const areAlike = rests.every(
    (rest) => rest.length === fields.length && Buffer.compare(blanked(rest, offsets), fields) === 0,
  );
  if (!areAlike) return undefined;
  const lanes = offsets.map((offset) => {
    const lane = new Uint8Array(WORD * rests.length);
    for (const [index, rest] of rests.entries()) {
      for (let byte = 0; byte < WORD; byte++) lane[WORD * index + byte] = rest[offset + byte];
    }
    return lane;
  });
  return { fields, lanes, asInt };
}

function blanked(rest: Uint8Array, offsets: readonly number[]): Uint8Array {
  const fields = new Uint8Array(rest);
  for (const offset of offsets) fields.fill(0, offset, offset + WORD);
  return fields;
}

/** A block's points, read a series at a time. */
export class PointParts {
  readonly series: SeriesColumn;
  readonly #bytes: Uint8Array;
  readonly #offsets: Uint32Array;

  constructor(series: SeriesColumn, bytes: Uint8Array) {
    const count = series.keys.length;
    const reader = new VarintReader(bytes);
    this.#offsets = new Uint32Array(count + 1);
    const lengths = Array.from({ length: count }, () => reader.read());
    this.#offsets[0] = reader.position;
    for (const [id, length] of lengths.entries())
      this.#offsets[id + 1] = this.#offsets[id] + length;
    assert(this.#offsets[count] === bytes.length, "points have another size than their series");
    this.series = series;
    this.#bytes = bytes;
  }

  get byteLength(): number {
    return this.#bytes.byteLength + this.#offsets.byteLength;
  }

  /** The points of one series, in the order of their rows. */
  read(id: number): PointValues {
    const bytes = this.#bytes.subarray(this.#offsets[id], this.#offsets[id + 1]);
    const count = this.series.rowsOf(id).length;
    const values = new Float64Array(count);
    const form = bytes[0];
    const at = form === ALIKE_INT ? 1 : decodeLane(bytes, 1, new Uint8Array(values.buffer));
    const reader = new VarintReader(bytes);
    reader.position = at;
    if (form === APART) return { values, rest: readApart(bytes, reader, count) };
    const length = reader.read();
    const fields = bytes.subarray(reader.position, reader.position + length);
    const places = wordPlaces(fields);
    assert(places !== undefined, "the fields of points make no sense");
    const data = new Uint8Array(length * count);
    for (let index = 0; index < count; index++) data.set(fields, index * length);
    const lane = new Uint8Array(WORD * count);
    let end = reader.position + length;
    for (const [index, offset] of places.offsets.entries()) {
      end = decodeLane(bytes, end, lane);
      for (let point = 0; point < count; point++) {
        const to = point * length + offset;
        for (let byte = 0; byte < WORD; byte++) data[to + byte] = lane[WORD * point + byte];
      }
      if (form === ALIKE_INT && index === places.asInt) values.set(integersOf(lane) ?? []);
    }
    assert(end === bytes.length, "a series has another size than its points");
    const starts = Uint32Array.from({ length: count }, (_, index) => index * length);
    return { values, rest: { data, starts, ends: starts.map((start) => start + length) } };
  }

  /** The points of all rows, in the order of rows. */
  readAll(): PointValues {
    const count = this.series.ids.length;
    const values = new Float64Array(count);
    const lengths = new Uint32Array(count);
    const parts = Array.from({ length: this.series.keys.length }, (_, id) => this.read(id));
    for (const [id, part] of parts.entries()) {
      for (const [index, row] of this.series.rowsOf(id).entries()) {
        values[row] = part.values[index];
        lengths[row] = part.rest.ends[index] - part.rest.starts[index];
      }
    }
    const offsets = new Uint32Array(count + 1);
    for (let row = 0; row < count; row++) offsets[row + 1] = offsets[row] + lengths[row];
    const data = new Uint8Array(offsets[count]);
    for (const [id, { rest }] of parts.entries()) {
      for (const [index, row] of this.series.rowsOf(id).entries()) {
        data.set(rest.data.subarray(rest.starts[index], rest.ends[index]), offsets[row]);
      }
    }
    return {
      values,
      rest: { data, starts: offsets.subarray(0, count), ends: offsets.subarray(1) },
    };
  }
}

function readApart(bytes: Uint8Array, reader: VarintReader, count: number): PointRest {
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  let end = 0;
  for (let index = 0; index < count; index++) {
    starts[index] = end;
    end += reader.read();
    ends[index] = end;
  }
  const data = bytes.subarray(reader.position);
  assert(data.length === end, "a series has another size than its points");
  return { data, starts, ends };
}
