import { expect, test } from "vitest";
import { AppError } from "../../../src/core/errors.ts";
import type { LogicalSchema } from "../../../src/runtime/formats/format.ts";
import { OutputSchema } from "../../../src/runtime/formats/output-schema.ts";

test.each([
  ["float32", "float32"],
  ["float32", "Float32"],
  ["float32", "float"],
  ["utf8", "string"],
  ["uint8", "bytes"],
  ["list<float64>", "List< double >"],
])("%s is what %s declares", (found, declared) => {
  open(declared).check(found);
});

test.each<[LogicalSchema, LogicalSchema, string]>([
  ["float32", "float64", "the value is float64, its schema is declared as float32"],
  [{ x: "int32" }, "int32", "the value is int32, its schema is declared as struct<x: int32>"],
  [{ x: "int32" }, { x: "int64" }, 'field "x" is int64, its schema is declared as int32'],
  [
    { x: "int32", y: "utf8" },
    { x: "int32" },
    'field "y" is missing, its schema is declared as utf8',
  ],
  [
    { x: "int32" },
    { x: "int32", z: "bool" },
    'field "z" (bool) is one too many, its schema is declared as struct<x: int32>',
  ],
])("a mismatch names node, output and field", (declared, found, words) => {
  const schema = open(declared);
  const expected = new AppError("FORMAT_MISMATCH", `node cam, output image: ${words}`);
  for (let time = 0; time < 2; time++) expect(() => schema.check(found)).toThrow(expected);
  schema.check(declared);
});

test("without a declaration the first message decides", () => {
  const schema = open(undefined);
  schema.check("null");
  schema.check({ x: "int32" });
  schema.check({ x: "int32" });
  schema.check("null");
  expect(() => schema.check({ x: "int64" })).toThrow(
    'node cam, output image: field "x" is int64, the first message had int32',
  );
});

test("a name that says nothing of the bytes leaves it to the first message", () => {
  const schema = open("std/media/v1/Image");
  schema.check("uint8");
  expect(() => schema.check("utf8")).toThrow("the first message had uint8");
});

function open(declared: LogicalSchema | undefined): OutputSchema {
  return new OutputSchema("cam", "image", declared);
}
