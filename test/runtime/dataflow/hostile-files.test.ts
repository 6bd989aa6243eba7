import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { linksOf } from "../../../src/runtime/dataflow/dataflow.ts";
import { toMermaid } from "../../../src/runtime/dataflow/mermaid.ts";
import { parseDataflow } from "../../../src/runtime/dataflow/parse-dataflow.ts";

const NAMES = ["camera", "operators", "version-0", "transports"];
const FIXTURES = NAMES.map((name) =>
  readFileSync(new URL(`../../fixtures/dataflow/${name}.yml`, import.meta.url), "utf8"),
);
const KEYS = [
  ..."nodes id path args inputs outputs operator operators custom source python env".split(" "),
  ..."transport kind topic queue_size deploy schema default_transport __proto__".split(" "),
];
const VALUES = ["a", "a/b", "dora/timer/millis/1", "mqtt", "$X", "shell", "", 0, -1, 1e99, true];

/** Whatever is read is either a dataflow that hangs together, or has problems with places in the text. */
function expectSense(text: string): void {
  const result = parseDataflow(text, { environment: {} });
  const lines = text.split(/\r?\n/);
  const problems = result.status === "ok" ? [] : result.problems;
  for (const { line, column, length, message } of [...problems, ...result.warnings]) {
    expect(line).toBeLessThanOrEqual(lines.length);
    // What ends too early is marked behind the end.
    expect(column + length - 2).toBeLessThanOrEqual(lines[line - 1]?.length ?? 0);
    expect(message).toMatch(/^\S.*\S$/s);
  }
  if (result.status === "invalid") expect(problems.length).toBeGreaterThan(0);
  else {
    const ids = new Set(result.dataflow.nodes.map(({ id }) => id));
    for (const { source } of linksOf(result.dataflow)) expect(ids).toContain(source.node);
    expect(toMermaid(result.dataflow)).toMatch(/^flowchart LR\n/);
  }
}

test("no text makes the reader throw", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), expectSense));
});

test("no value made of known keys makes the reader throw", () => {
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom<unknown>(...VALUES, null),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom(...KEYS), tie("value"), { maxKeys: 6 }),
    ),
  }));
  fc.assert(
    fc.property(value, (nodes) => expectSense(stringify({ nodes: [nodes] }))),
    { numRuns: 500 },
  );
});

test("a file that is cut, or has a character changed, is read or has problems", () => {
  const change = fc.record({
    fixture: fc.constantFrom(...FIXTURES),
    at: fc.nat(2000),
    put: fc.constantFrom("", "\n", "  ", ":", "[", "}", '"', "*", "&a ", "!", "\t", "\0", "💥"),
    isCut: fc.boolean(),
  });
  fc.assert(
    fc.property(change, ({ fixture, at, put, isCut }) => {
      const start = fixture.slice(0, at % fixture.length);
      expectSense(isCut ? start : start + put + fixture.slice(start.length + 1));
    }),
    { numRuns: 500 },
  );
});
