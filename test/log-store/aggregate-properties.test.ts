import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { AnyValue } from "../../src/core/any-value.ts";
import { anyValueToText } from "../../src/core/any-value.ts";
import type { FieldRef, FieldTest, Filter } from "../../src/core/filter.ts";
import type { LogRecord } from "../../src/core/record.ts";
import { dataflowName, nodeId, nodeName } from "../../src/core/record.ts";
import { severityName } from "../../src/core/severity.ts";
import type { TimeRange } from "../../src/core/time.ts";
import { ALL_TIME, formatUnixNs } from "../../src/core/time.ts";
import type { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import type { AggregateResult, GroupKey, Stat } from "../../src/log-store/log-store.ts";
import type { MergeLimits } from "../../src/log-store/merge-plan.ts";
import { MERGE_LIMITS } from "../../src/log-store/merge-plan.ts";
import { logRecord } from "../query/log-record.ts";
import { matchesRecord } from "../query/naive-evaluator.ts";
import { LONG_TEST_MS, runs } from "../run-size.ts";
import { BothWaysRunner } from "./both-ways-runner.ts";
import { aggregate, logsRequest, openStore, temporaryFolder } from "./store-user.ts";

const MIDNIGHT_NS = 1_736_294_400_000_000_000n;
const MINUTE_NS = 60_000_000_000n;

/** Times about the edges of minutes, of hours and of a day. */
const time = fc
  .tuple(
    fc.constantFrom(-61n, -60n, -2n, -1n, 0n, 1n, 59n, 60n),
    fc.constantFrom(0n, 1n, 29_999_999_999n, 59_999_999_999n),
  )
  .map(([minutes, ns]) => MIDNIGHT_NS + minutes * MINUTE_NS + ns);

const resource = fc.constantFrom<Readonly<Record<string, AnyValue>>>(
  {},
  { "service.name": "camera" },
  { "service.name": "planner", zone: "a" },
  { "dora.node.id": "node-1", "dora.node.name": "Camera", "dora.dataflow.id": "flow-1" },
  { "dora.node.id": "node-2", "dora.dataflow.name": "Flow", zone: 7n },
);

/** Some records that are the same but for a few nanoseconds, so that blocks are worth counting. */
const request = fc.record({
  time,
  resource,
  count: fc.integer({ min: 1, max: 60 }),
  severityNumber: fc.constantFrom(0, 1, 9, 12, 13, 17, 24),
  body: fc.constantFrom("late frame", "connection reset"),
  attributes: fc.constantFrom<ReadonlyMap<string, AnyValue>>(
    new Map(),
    new Map<string, AnyValue>([["latency_ms", 5n]]),
    new Map<string, AnyValue>([["zone", "b"]]),
  ),
});
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

const countedField = fc.constantFrom<FieldRef>(
  { target: "node" },
  { target: "dataflow" },
  { target: "level" },
  { target: "resource", key: "zone" },
);
const otherField = fc.constantFrom<FieldRef>(
  { target: "message" },
  { target: "logger" },
  { target: "event" },
  { target: "trace_id" },
  { target: "attribute", key: "latency_ms" },
  { target: "any", key: "zone" },
);
const field = fc.oneof(
  { weight: 6, arbitrary: countedField },
  { weight: 1, arbitrary: otherField },
);
const fieldTest = fc.constantFrom<FieldTest>(
  { op: "exists" },
  { op: "equals", text: "camera", anyCase: true },
  { op: "equals", text: "warn", anyCase: true },
  { op: "glob", pattern: "node-*", anyCase: false },
  { op: "glob", pattern: "*r*", anyCase: true },
  { op: "compare", comparison: ">=", value: 6 },
  {
    op: "contains",
    match: {
      kind: "literal",
      text: "FLOW",
      anyCase: true,
      startsAtWord: true,
      endsAtWord: false,
    },
  },
);
const leaf: fc.Arbitrary<Filter> = fc.oneof(
  fc.constantFrom<Filter>({ kind: "all" }, { kind: "none" }),
  fc
    .tuple(fc.integer({ min: 0, max: 24 }), fc.integer({ min: 0, max: 24 }))
    .map(([a, b]): Filter => ({ kind: "severity", min: Math.min(a, b), max: Math.max(a, b) })),
  fc.record({ kind: fc.constant("field" as const), field, test: fieldTest }),
  fc.constant<Filter>({
    kind: "text",
    match: {
      kind: "literal",
      text: "reset",
      anyCase: true,
      startsAtWord: true,
      endsAtWord: true,
    },
  }),
);
const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
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

const key: fc.Arbitrary<GroupKey> = fc.oneof(
  {
    weight: 3,
    arbitrary: field.map((ref): GroupKey => ({ kind: "field", field: ref, name: "" })),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(1n, 30n, 60n, 90n, 120n, 3600n, 86_400n, 7n * 86_400n)
      .map((seconds): GroupKey => ({ kind: "time", intervalNs: seconds * 10n ** 9n, name: "" })),
  },
);
const keys = fc
  .array(key, { maxLength: 3 })
  .map((list) => list.map((one, index): GroupKey => ({ ...one, name: `key ${index}` })));

const range: fc.Arbitrary<TimeRange> = fc.oneof(
  { weight: 2, arbitrary: fc.constant(ALL_TIME) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(time, time)
      .map(([a, b]) => ({ fromUnixNs: a < b ? a : b, toUnixNs: a < b ? b : a })),
  },
);

/** What is done with the records of a step. */
const then = fc.constantFrom("leave open", "seal", "seal and merge");

/** Merges any two neighbours. */
const EAGER: MergeLimits = { ...MERGE_LIMITS, countMin: 2, growthMin: 1 };

const COUNT: Stat = { kind: "count", name: "count" };
const SUM: Stat = {
  kind: "sum",
  name: "sum",
  field: { target: "attribute", key: "latency_ms" },
};
const question = fc.record({
  filter,
  range,
  by: keys,
  stats: fc.constantFrom<readonly Stat[]>([COUNT], [COUNT], [COUNT], [COUNT, SUM]),
});
type Question = typeof question extends fc.Arbitrary<infer T> ? T : never;

function recordsOf({ count, time: from, resource: own, ...parts }: Request): readonly LogRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    ...logRecord({
      ...parts,
      timeUnixNs: from + BigInt(index % 2),
      attributes: {},
      resource: own,
      logger: "test",
    }),
    attributes: parts.attributes,
  }));
}

/** The plainest reading of what an aggregation is; groups in no order. */
function naiveGroups(all: readonly LogRecord[], asked: Question): AggregateResult["rows"] {
  const { fromUnixNs, toUnixNs } = asked.range;
  const groups = new Map<string, LogRecord[]>();
  if (asked.by.length === 0) groups.set("[]", []);
  for (const record of all) {
    if (record.timeUnixNs < fromUnixNs || record.timeUnixNs >= toUnixNs) continue;
    if (!matchesRecord(asked.filter, record)) continue;
    const name = JSON.stringify(asked.by.map((one) => naiveValue(one, record)));
    groups.set(name, [...(groups.get(name) ?? []), record]);
  }
  return [...groups.values()].map((records) => {
    const row: [string, string | number | null][] = [];
    const [first] = records;
    if (first !== undefined) {
      for (const one of asked.by) row.push([one.name, naiveValue(one, first)]);
    }
    row.push(["count", records.length]);
    const latencies = records.flatMap(({ attributes }) => attributes.get("latency_ms") ?? []);
    if (asked.stats.includes(SUM)) row.push(["sum", latencies.length * 5 || null]);
    return Object.fromEntries(row);
  });
}

function naiveValue(one: GroupKey, record: LogRecord): string | null {
  if (one.kind === "time") {
    return formatUnixNs(record.timeUnixNs - (record.timeUnixNs % one.intervalNs));
  }
  const { attributes } = record.resource;
  switch (one.field.target) {
    case "node":
      return nodeName(record.resource) || nodeId(record.resource) || null;
    case "dataflow":
      return dataflowName(record.resource) || textOf(attributes.get("dora.dataflow.id"));
    case "level":
      return severityName(record.severityNumber);
    case "message":
      return textOf(record.body ?? undefined);
    case "logger":
      return record.scope.name;
    case "attribute":
      return textOf(record.attributes.get(one.field.key));
    case "resource":
      return textOf(attributes.get(one.field.key));
    case "any":
      return textOf(record.attributes.get(one.field.key) ?? attributes.get(one.field.key));
    case "event":
    case "trace_id":
    case "span_id":
      return null;
  }
}

function textOf(value: AnyValue | undefined): string | null {
  return value === undefined ? null : anyValueToText(value);
}

function byText(left: unknown, right: unknown): number {
  const [a, b] = [JSON.stringify(left), JSON.stringify(right)];
  return a === b ? 0 : a < b ? -1 : 1;
}

test(
  "random questions get what counting each record gives, by joint counts and by rows, open, sealed and merged",
  async () => {
    let byCounts = 0;
    let total = 0;
    let merges = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.array(request, { minLength: 1, maxLength: 8 }), then), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.array(question, { minLength: 20, maxLength: 20 }),
        async (steps, questions) => {
          const runner = new BothWaysRunner();
          const maintenance = { merge: EAGER, tickMs: 3_600_000 };
          const store: EmbeddedStore = await openStore(temporaryFolder(), { runner, maintenance });
          for (const [requests, action] of steps) {
            for (const [index, one] of requests.entries()) {
              const body = logsRequest(recordsOf(one), one.resource);
              await store.append({
                signal: "logs",
                body,
                principal: String(index) + Math.random(),
              });
            }
            if (action !== "leave open") await store.seal();
            if (action === "seal and merge") await store.merge();
          }
          const all = steps.flatMap(([requests]) => requests.flatMap(recordsOf));
          for (const asked of questions) {
            const { rows, status } = await aggregate(store, asked);
            expect(rows.toSorted(byText), JSON.stringify(asked.filter)).toEqual(
              naiveGroups(all, asked).toSorted(byText),
            );
            expect(status).toBe("complete");
          }
          byCounts += runner.savedRows;
          merges += store.stats().merges.doneCount;
          total += all.length * questions.length;
          await store.close();
        },
      ),
      { numRuns: runs({ part: 60, full: 600 }) },
    );
    // Else nothing was compared.
    expect(byCounts / total).toBeGreaterThan(0.05);
    expect(merges).toBeGreaterThan(5);
  },
  LONG_TEST_MS,
);
