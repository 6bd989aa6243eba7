import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeLane, encodeLane } from "../../../src/log-store/points/lane-codec.ts";
import { encodePoints, PointParts } from "../../../src/log-store/points/point-values.ts";
import {
  decodeSeries,
  encodeSeries,
  groupSeries,
} from "../../../src/log-store/points/series-column.ts";

function wordsOf(values: readonly (number | bigint)[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  for (const [index, value] of values.entries()) {
    if (typeof value === "number") view.setFloat64(8 * index, value, true);
    else view.setBigInt64(8 * index, value, true);
  }
  return new Uint8Array(view.buffer);
}

const double = fc.oneof(
  fc.double(),
  fc.integer({ min: -1000, max: 1000 }).map((value) => value / 100),
  fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e300, 5e-324, 0.1 + 0.2, 1e15),
);
const integer = fc.oneof(
  fc.bigInt({ min: -1000n, max: 1000n }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(2n ** 49n, 2n ** 49n + 1n, -(2n ** 49n), -1n, 2n ** 53n + 1n),
);
const word = fc.oneof(double, integer);

describe("a lane", () => {
  test("of any words comes back bit by bit", () => {
    const words = fc.oneof(
      fc.array(word, { minLength: 1, maxLength: 200 }),
      fc.array(double, { minLength: 1, maxLength: 200 }),
      fc.array(integer, { minLength: 1, maxLength: 200 }),
      fc
        .tuple(word, fc.integer({ min: 1, max: 200 }))
        .map(([one, count]) => Array.from({ length: count }, () => one)),
      fc.array(
        fc.integer({ min: -9999, max: 9999 }).map((value) => value / 1000),
        { minLength: 1 },
      ),
    );
    fc.assert(
      fc.property(words, (values: readonly (number | bigint)[]) => {
        const raw = wordsOf(values);
        const lane = encodeLane(raw);
        const target = new Uint8Array(raw.length);
        expect(decodeLane(Buffer.concat([Uint8Array.of(9), lane]), 1, target)).toBe(
          1 + lane.length,
        );
        expect(Buffer.compare(target, raw)).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ["the same double", Array<number>(100).fill(0.1234567), 9],
    ["a steady counter", Array.from({ length: 100 }, (_, index) => BigInt(index * 500)), 8],
    ["tenths of a degree", Array.from({ length: 100 }, (_, index) => 36 + (index % 8) / 10), 50],
  ])("of %s is small", (_, values, bytesMax) => {
    expect(encodeLane(wordsOf(values)).length).toBeLessThanOrEqual(bytesMax);
  });
});

/** `NumberDataPoint.as_int`, and `HistogramDataPoint` with count, sum, two buckets and a bound. */
function asInt(value: bigint): Uint8Array {
  return Buffer.concat([Uint8Array.of(0x31), wordsOf([value])]);
}

function histogram(count: bigint, sum: number): Uint8Array {
  return Buffer.concat([
    Uint8Array.of(0x21),
    wordsOf([count]),
    Uint8Array.of(0x29),
    wordsOf([sum]),
    Uint8Array.of(0x32, 16),
    wordsOf([count - 1n, 1n]),
    Uint8Array.of(0x3a, 8),
    wordsOf([0.5]),
  ]);
}

const point = fc.oneof(
  integer.map((value) => ({ value: Number(value), rest: asInt(value) })),
  // A value that is not that of the field beside it, as no sender of ours gives it.
  fc.tuple(double, integer).map(([value, other]) => ({ value, rest: asInt(other) })),
  double.map((value) => ({ value, rest: new Uint8Array(0) })),
  fc
    .tuple(fc.bigInt({ min: 1n, max: 500n }), double)
    .map(([count, sum]) => ({ value: 0, rest: histogram(count, sum) })),
  fc.uint8Array({ maxLength: 30 }).map((rest) => ({ value: 0, rest: Uint8Array.from(rest) })),
);
const points = fc.oneof(
  fc.array(fc.tuple(fc.nat(3), point), { minLength: 20, maxLength: 60 }),
  fc.array(
    fc.tuple(
      fc.nat(3),
      integer.map((value) => ({ value: Number(value), rest: asInt(value) })),
    ),
    {
      minLength: 20,
      maxLength: 60,
    },
  ),
);

describe("points", () => {
  test("come back by series and all together, whatever their fields are", () => {
    fc.assert(
      fc.property(points, (rows) => {
        const keys = Float64Array.from(rows, ([series]) => 2 ** 47 + series);
        const columnOf = (name: string): Uint32Array =>
          Uint32Array.from(rows, ([series]) => series + name.length);
        const grouped = groupSeries(keys, columnOf);
        expect(grouped).toBeDefined();
        if (grouped === undefined) return;
        const section = encodePoints(
          grouped,
          Float64Array.from(rows, ([, { value }]) => value),
          {
            lengths: Uint32Array.from(rows, ([, { rest }]) => rest.length),
            data: Buffer.concat(rows.map(([, { rest }]) => rest)),
          },
        );
        const series = decodeSeries(encodeSeries(grouped), rows.length);
        expect([...series.ids].map((id) => series.keys[id])).toEqual([...keys]);
        for (const [name, values] of series.values) {
          expect([...series.ids].map((id) => values[id])).toEqual([...columnOf(name)]);
        }
        const parts = new PointParts(series, section);
        const all = parts.readAll();
        for (const [row, [, { value, rest }]] of rows.entries()) {
          expect(all.values[row]).toBe(value);
          const { data, starts, ends } = all.rest;
          expect(Buffer.compare(data.subarray(starts[row], ends[row]), rest)).toBe(0);
        }
        for (const id of series.keys.keys()) {
          const { values } = parts.read(id);
          expect([...values]).toEqual([...series.rowsOf(id)].map((row) => rows[row]?.[1].value));
        }
      }),
      { numRuns: 300 },
    );
  });

  test.each([1, 300])("keep what is the same in each of %i series once", (seriesCount) => {
    const names = ["resource", "scope", "metric", "metric_kind"];
    const rowCount = 5 * seriesCount;
    const keys = Float64Array.from({ length: rowCount }, (_, row) => row % seriesCount);
    const grouped = groupSeries(keys, (name) =>
      Uint32Array.from(keys, (key) => (name.length * key) % 256),
    );
    const section = grouped && encodeSeries(grouped);
    const series = section && decodeSeries(section, rowCount);
    for (const name of names) {
      expect([...(series?.values.get(name) ?? [])]).toEqual(
        Array.from({ length: seriesCount }, (_, key) => (name.length * key) % 256),
      );
    }
    expect([...(series?.ids ?? [])]).toEqual([...keys]);
  });

  test("of series have exactly these bytes", () => {
    const grouped = groupSeries(Float64Array.of(7, 7, 7, 7), (name) =>
      new Uint32Array(4).fill(name.length),
    );
    expect(grouped && [...encodeSeries(grouped)]).toEqual(
      [
        [1, 0, 0, 0],
        [7, 0, 0, 0, 0, 0],
        // resource, scope, metric
        [8, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0],
        // metric_kind, temporality, is_monotonic, value_kind
        [11, 11, 12, 10],
        // One plane of four rows.
        [1, 0, 0, 0, 0],
      ].flat(),
    );
  });

  test("whose keys are equal by chance, and no more, are not kept by series", () => {
    const keys = new Float64Array(40);
    const columnOf = (name: string): Uint8Array =>
      Uint8Array.from(keys, (_, row) => (name === "temporality" && row === 39 ? 2 : 1));
    expect(groupSeries(keys, columnOf)).toBeUndefined();
    expect(groupSeries(keys.subarray(0, 39), columnOf)).toBeDefined();
  });

  test("of more series than a quarter of the rows are not kept by series", () => {
    const group = (seriesCount: number): ReturnType<typeof groupSeries> =>
      groupSeries(
        Float64Array.from({ length: 40 }, (_, row) => row % seriesCount),
        () => new Uint8Array(40),
      );
    expect(group(10)?.keys.length).toBe(10);
    expect(group(11)).toBeUndefined();
  });
});
