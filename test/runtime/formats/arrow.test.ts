import {
  Dictionary,
  Field,
  Float32,
  Int32,
  List,
  makeVector,
  Table,
  tableFromIPC,
  Utf8,
  Vector,
  vectorFromArray,
} from "apache-arrow";
import { expect, test } from "vitest";
import { arrowFormat, bytesVector, emptyVector } from "../../../src/runtime/formats/arrow.ts";
import type { EncodedValue } from "../../../src/runtime/formats/format.ts";

test.each([
  ["int8", Int8Array.of(-1, 2)],
  ["int16", Int16Array.of(-1, 2)],
  ["int32", Int32Array.of(-1, 2)],
  ["int64", BigInt64Array.of(-1n, 2n)],
  ["uint16", Uint16Array.of(1, 2, 3)],
  ["uint32", Uint32Array.of(1)],
  ["uint64", BigUint64Array.of(1n)],
  ["float32", Float32Array.of(1.5, -2)],
  ["float64", Float64Array.of(1.5, -2, 0)],
  ["uint8", Uint8ClampedArray.of(1, 255)],
  ["float32", new Float32Array(0)],
])("a typed array is Arrow's primitive array: %s", (type, array) => {
  const encoded = arrowFormat.encode(array);
  expect(encoded.schema).toBe(type);
  expect([...arrowFormat.decode(bytesOf(encoded))]).toEqual([...array]);
});

test("arrays of one type and length share what stands around them, and keep their own values", () => {
  const streams = [1, 2].map((value) => {
    const array = new Float64Array(1000).fill(value);
    const encoded = arrowFormat.encode(array);
    const views = [encoded.payload].flat().some((piece) => piece.buffer === array.buffer);
    expect(views).toBe(true);
    return bytesOf(encoded);
  });
  const values = streams.map((stream) => Array.from(arrowFormat.decode(stream), Number));
  expect(values).toEqual([Array(1000).fill(1), Array(1000).fill(2)]);
});

test("a view of a larger buffer sends its own elements alone", () => {
  const view = new Int32Array(Int32Array.of(1, 2, 3, 4).buffer, 4, 2);
  expect([...arrowFormat.decode(bytesOf(arrowFormat.encode(view)))]).toEqual([2, 3]);
});

test("a stream is one batch of one column, as other readers of Arrow know it", () => {
  const table = tableFromIPC(bytesOf(arrowFormat.encode(Float32Array.of(1, 2, 3))));
  expect(table.batches).toHaveLength(1);
  expect(table.schema.fields.map(({ name, type }) => `${name} ${type}`)).toEqual(["value Float32"]);
});

test("texts and what is missing arrive", () => {
  const vector = vectorFromArray(["a", null, "ç"], new Utf8());
  const encoded = arrowFormat.encode(vector);
  expect(encoded.schema).toBe("utf8");
  expect([...arrowFormat.decode(bytesOf(encoded))]).toEqual(["a", null, "ç"]);
});

test("how values are packed is no part of their schema", () => {
  const packed = vectorFromArray(["a", "b", "a"], new Dictionary(new Utf8(), new Int32()));
  const encoded = arrowFormat.encode(packed);
  expect(encoded.schema).toBe("utf8");
  expect([...arrowFormat.decode(bytesOf(encoded))]).toEqual(["a", "b", "a"]);
});

test("a table is the array of its rows, and its schema names the fields", () => {
  const table = new Table({
    x: makeVector(Float32Array.of(1, 2)),
    name: vectorFromArray(["a", "b"], new Utf8()),
  });
  for (const value of [table, table.batches[0]]) {
    const encoded = arrowFormat.encode(value);
    expect(encoded.schema).toEqual({ x: "float32", name: "utf8" });
    const rows = arrowFormat.decode(bytesOf(encoded));
    expect(JSON.stringify([...rows])).toBe('[{"x":1,"name":"a"},{"x":2,"name":"b"}]');
  }
});

test("lists have the type of their items", () => {
  const type = new List(new Field("item", new Float32()));
  const encoded = arrowFormat.encode(vectorFromArray([[1, 2], [3]], type));
  expect(encoded.schema).toBe("list<float32>");
});

test("a vector in chunks is sent as one batch", () => {
  const [first, second] = [makeVector(Int32Array.of(1, 2)), makeVector(Int32Array.of(3))];
  const stream = bytesOf(arrowFormat.encode(new Vector([...first.data, ...second.data])));
  expect(tableFromIPC(stream).batches).toHaveLength(1);
  expect([...arrowFormat.decode(stream)]).toEqual([1, 2, 3]);
});

test("a stream that begins at any byte of a buffer is read", () => {
  const stream = bytesOf(arrowFormat.encode(Float64Array.of(1, 2, 3)));
  for (let offset = 0; offset < 9; offset++) {
    const shifted = new Uint8Array(stream.length + offset);
    shifted.set(stream, offset);
    expect([...arrowFormat.decode(shifted.subarray(offset))]).toEqual([1, 2, 3]);
  }
});

test.each([
  ["a string", "text", "a string cannot be sent"],
  ["a number", 7, "a number cannot be sent"],
  ["an object", { a: 1 }, "an object (Object) cannot be sent"],
  ["an array", [1], "such as Float64Array.from(values)"],
  ["null", null, "undefined is no value"],
  ["a DataView", new DataView(new ArrayBuffer(1)), "an object (DataView) cannot be sent"],
])("what is no value is refused, with what to give instead: %s", (_, value, words) => {
  expect(() => arrowFormat.encode(value)).toThrow(words);
});

test("bytes that are no stream are refused, cut at each length", () => {
  const stream = bytesOf(arrowFormat.encode(Float64Array.of(1, 2, 3)));
  expect(() => arrowFormat.decode(Buffer.from("not Arrow at all"))).toThrow("no Arrow stream");
  for (let length = 0; length < stream.length; length++) {
    try {
      arrowFormat.decode(stream.subarray(0, length));
    } catch (error) {
      expect(error).toMatchObject({ code: "FORMAT_MISMATCH" });
    }
  }
});

test("bytes and nothing are Arrow arrays too", () => {
  expect([...bytesVector(Uint8Array.of(1, 2))]).toEqual([1, 2]);
  expect(emptyVector()).toHaveLength(0);
});

function bytesOf({ payload }: EncodedValue): Uint8Array {
  return Buffer.concat([payload].flat());
}
