import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DataflowFile, FileNode } from "../../../src/runtime/dataflow/file-schema.ts";
import {
  UNSUPPORTED_NODE_KEYS,
  UNSUPPORTED_OPERATOR_KEYS,
  UNSUPPORTED_ROOT_KEYS,
} from "../../../src/runtime/dataflow/unsupported-keys.ts";
import { parseValid, warningsOf } from "./parse.ts";

const DOCS = readFileSync(new URL("../../../docs/dataflow-file.md", import.meta.url), "utf8");
const FINDING = new URL("../../../src/runtime/dataflow/finding.ts", import.meta.url);

const examples = [...DOCS.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = ""], index) => ({
  number: index + 1,
  text,
}));

test("there are examples", () => {
  expect(examples).toHaveLength(3);
});

test.each(examples)("example $number is a dataflow file without a warning", ({ text }) => {
  expect(parseValid(text, { HOME: "/home/ann" }).nodes.length).toBeGreaterThan(1);
  expect(warningsOf(text, { HOME: "/home/ann" })).toEqual([]);
});

test("every key is in the documentation", () => {
  const keys = new Set([
    ...Object.keys(DataflowFile.shape),
    ...Object.keys(FileNode.shape),
    ...UNSUPPORTED_ROOT_KEYS.keys(),
    ...UNSUPPORTED_NODE_KEYS.keys(),
    ...UNSUPPORTED_OPERATOR_KEYS.keys(),
  ]);
  const missing = [...keys].filter((key) => !new RegExp(`\`${key}(?:\`|:)`).test(DOCS));
  expect(missing).toEqual([]);
});

test("every code of a finding is in the documentation, and no others", () => {
  const source = readFileSync(FINDING, "utf8");
  const codes = [...source.matchAll(/^ {2}\| "([a-z-]+)"/gm)].map(([, code]) => code);
  const table = DOCS.slice(DOCS.indexOf("## Codes of problems"));
  const documented = [...table.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([a-z-]+)`/g)].map(([, code]) => code),
  );
  expect(documented.toSorted()).toEqual(codes.toSorted());
});
