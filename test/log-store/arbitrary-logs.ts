import * as fc from "fast-check";
import type { AnyValue } from "../../src/core/any-value.ts";
import type { FieldRef, FieldTest, Filter, TextMatch } from "../../src/core/filter.ts";
import type { LogRecord } from "../../src/core/record.ts";
import { DAY_NS } from "../../src/core/time.ts";
import { logRecord } from "../query/log-record.ts";

/** Random requests and filters that have words, keys and ids in common. */

const WORDS = [
  "timeout",
  "Timeout",
  "frame",
  "blk_17",
  "Ünïcode",
  "STRASSE",
  "straße",
  "ſet",
  "K",
  "k9",
  "a",
  "-",
  "42",
  "4290",
  "9a07Kb1",
  'q="42"',
];
const text = fc
  .array(fc.constantFrom(...WORDS, "10.0.0.1", "\n", "日本", "x"), { maxLength: 6 })
  .chain((parts) => fc.constantFrom(" ", "", "_", "/").map((glue) => parts.join(glue)));
const value: fc.Arbitrary<AnyValue> = fc.oneof(
  text,
  fc.constantFrom<AnyValue>(
    null,
    true,
    false,
    7n,
    50n,
    50.5,
    -1n,
    2n ** 62n,
    "7",
    " 50 ",
    "1e3",
    Number.NaN,
  ),
  fc.constant(new Uint8Array([1, 2, 255])),
  fc.array(fc.constantFrom<AnyValue>("timeout", 1n, null), { maxLength: 3 }),
  fc.constant<AnyValue>(
    new Map<string, AnyValue>([
      ["a", "frame"],
      ["__proto__", 1n],
    ]),
  ),
);
const KEYS = ["latency_ms", "path", "__proto__", "node"];
const attributes = fc
  .dictionary(fc.constantFrom(...KEYS), value, { maxKeys: 3, noNullPrototype: true })
  .map((object) => new Map(Object.entries(object)));
const id = (digits: number): fc.Arbitrary<string> =>
  fc.constantFrom("", "a".repeat(digits), "4bf9".repeat(digits / 4), "1".repeat(digits));

const record = fc.record({
  // Three days, with times that are equal often.
  timeUnixNs: fc
    .integer({ min: 0, max: 40 })
    .map((step) => BigInt(20_000) * BigInt(DAY_NS) + BigInt(step) * 5_000_000_000_001n),
  severityNumber: fc.integer({ min: 0, max: 24 }),
  body: fc.oneof({ weight: 5, arbitrary: text }, { weight: 1, arbitrary: value }),
  attributes,
  traceId: id(32),
  spanId: id(16),
  eventName: fc.constantFrom("", "", "frame.late", "Timeout"),
});
const resource = fc
  .record(
    {
      "service.name": fc.constantFrom<AnyValue>("camera-1", "camera-2", "Planner", ""),
      "dora.node.id": fc.constantFrom<AnyValue>("node-a", "", 5n),
      "dora.node.name": fc.constantFrom<AnyValue>("Node A", ""),
      "dora.dataflow.id": fc.constantFrom<AnyValue>("df-1", ""),
      latency_ms: fc.constantFrom<AnyValue>(50n, "x"),
    },
    { requiredKeys: [] },
  )
  .map((object): Readonly<Record<string, AnyValue>> => Object.fromEntries(Object.entries(object)));
export const request = fc.record({
  records: fc.array(record, { minLength: 1, maxLength: 12 }),
  resource,
  scope: fc.constantFrom("", "camera.driver", "Planner"),
});
export type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

const literal: fc.Arbitrary<TextMatch> = fc.record({
  kind: fc.constant("literal" as const),
  text: fc.oneof(
    fc.constantFrom(
      ...WORDS,
      "time",
      "out",
      "rame",
      "Camera",
      "lk_1",
      "A07",
      "29",
      "9A07K",
      "a07Kb",
    ),
    text.filter((t) => t !== ""),
  ),
  anyCase: fc.boolean(),
  startsAtWord: fc.boolean(),
  endsAtWord: fc.boolean(),
});
const regex: fc.Arbitrary<TextMatch> = fc.record({
  kind: fc.constant("regex" as const),
  source: fc.oneof(
    fc.constantFrom("time(out)?", "^frame", "[0-9]+$", "blk_\\d+", "a|k9", "x*"),
    // Matches of digits alone, within a clause, and across clauses.
    fc.constantFrom("4[0-9]9", "2|90", "29?0?4", "[0-9]{3,}", "1[0-9]*2", "\\b42", "0[0-7]K"),
    fc.constantFrom("[^x]90", "-[a-z]+", "q=.42", "\\d\\b|me", "A0[67]k"),
  ),
  anyCase: fc.constant(false),
});
const match = fc.oneof({ weight: 4, arbitrary: literal }, { weight: 1, arbitrary: regex });
const field: fc.Arbitrary<FieldRef> = fc.oneof(
  fc
    .constantFrom("node", "dataflow", "message", "event", "logger", "level", "trace_id", "span_id")
    .map((target) => ({ target })),
  fc.record({
    target: fc.constantFrom("attribute", "resource", "any"),
    key: fc.constantFrom(...KEYS, "service.name"),
  }) as fc.Arbitrary<FieldRef>,
);
const fieldTest: fc.Arbitrary<FieldTest> = fc.oneof(
  fc.constant<FieldTest>({ op: "exists" }),
  fc.record({
    op: fc.constant("equals" as const),
    text: fc.constantFrom(
      "camera-1",
      "node A",
      "7",
      "50",
      "",
      "true",
      "a".repeat(32),
      "4bf9".repeat(8),
      "error",
      "frame.late",
    ),
    anyCase: fc.boolean(),
  }),
  fc.record({
    op: fc.constant("glob" as const),
    pattern: fc.constantFrom("cam*", "*-1", "c*m*a-*", "*", "NODE*", "4bf9*", "*out", "w*n"),
    anyCase: fc.boolean(),
  }),
  fc.record({
    op: fc.constant("compare" as const),
    comparison: fc.constantFrom("<", "<=", ">", ">="),
    value: fc.constantFrom(7, 50, 0, 1000),
  }),
  fc.record({ op: fc.constant("contains" as const), match }),
);
const leaf: fc.Arbitrary<Filter> = fc.oneof(
  fc.constantFrom<Filter>({ kind: "all" }, { kind: "none" }),
  fc.record({ kind: fc.constant("text" as const), match }),
  fc
    .tuple(fc.integer({ min: 0, max: 24 }), fc.integer({ min: 0, max: 24 }))
    .map(([a, b]): Filter => ({ kind: "severity", min: Math.min(a, b), max: Math.max(a, b) })),
  fc.record({ kind: fc.constant("field" as const), field, test: fieldTest }),
);
export const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { weight: 3, arbitrary: leaf },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("not" as const), of: tie("filter") }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom("and" as const, "or" as const),
        of: fc.array(tie("filter"), { minLength: 1, maxLength: 3 }),
      }),
    },
  ),
}));

/** The records as the store gives them, numbered from 1. */
export function recordsOf(requests: readonly Request[]): readonly LogRecord[] {
  let seq = 0;
  return requests.flatMap(({ records, resource: own, scope }) =>
    records.map((parts) => ({
      ...logRecord({
        ...parts,
        attributes: {},
        resource: own,
        logger: scope,
      }),
      attributes: parts.attributes,
      seq: ++seq,
    })),
  );
}
