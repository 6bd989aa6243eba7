import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { AnyValue } from "../../../src/core/any-value.ts";
import type { FieldRef, FieldTest, Filter } from "../../../src/core/filter.ts";
import type { LogRecord } from "../../../src/core/record.ts";
import type { EmbeddedStore } from "../../../src/log-store/embedded-store.ts";
import { MERGE_LIMITS } from "../../../src/log-store/merge-plan.ts";
import type { MetricToEncode } from "../../../src/wire/otlp-encode.ts";
import { encodeMetricsRequest } from "../../../src/wire/otlp-encode.ts";
import { logRecord } from "../../query/log-record.ts";
import { matchesRecord } from "../../query/naive-evaluator.ts";
import { LONG_TEST_MS, runs } from "../../run-size.ts";
import { openStore, temporaryFolder } from "../store-user.ts";
import { searchPoints } from "./point-search.ts";

/** A point as the naive evaluator sees it: `shown` has as attributes what an entry has of its own. */
interface Point {
  readonly record: LogRecord;
  readonly shown: LogRecord;
}

const SHOWN_KEYS = ["name", "kind", "value"];

function matchesPoint(filter: Filter, point: Point): boolean {
  switch (filter.kind) {
    case "and":
      return filter.of.every((part) => matchesPoint(part, point));
    case "or":
      return filter.of.some((part) => matchesPoint(part, point));
    case "not":
      return !matchesPoint(filter.of, point);
    case "field": {
      const { field } = filter;
      const isShown = field.target === "any" && SHOWN_KEYS.includes(field.key);
      return matchesRecord(filter, isShown ? point.shown : point.record);
    }
    case "all":
    case "none":
    case "text":
    case "severity":
      return matchesRecord(filter, point.record);
  }
}

const attributes = fc
  .record(
    {
      direction: fc.constantFrom<AnyValue>("receive", "transmit", "queue 42", "queue 7"),
      latency_ms: fc.constantFrom<AnyValue>(7n, 50n, 50.5, "50"),
    },
    { requiredKeys: [] },
  )
  .map((object) => new Map<string, AnyValue>(Object.entries(object)));

/** A few series of one process, and how many points each has. */
const request = fc.record({
  resource: fc
    .record(
      {
        "service.name": fc.constantFrom<AnyValue>("camera-1", "camera-2"),
        "dora.node.name": fc.constantFrom<AnyValue>("Node A", ""),
        latency_ms: fc.constantFrom<AnyValue>(50n, "x"),
      },
      { requiredKeys: [] },
    )
    .map((object) => new Map<string, AnyValue>(Object.entries(object))),
  scopeName: fc.constantFrom("", "meter"),
  series: fc.array(
    fc.record({
      name: fc.constantFrom("network.io", "temperature"),
      kind: fc.constantFrom("gauge" as const, "sum" as const),
      attributes,
      // An integer, a steady double, or what no form of a lane likes.
      step: fc.constantFrom<bigint | number>(1n, 0n, 0.5, 1 / 3),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  momentCount: fc.integer({ min: 1, max: 40 }),
});
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

/** Late on a day, so that the later moments are of the next one; moments of all requests are equal. */
const START_NS = 1_736_293_900_000_000_000n;

function metricsOf({ series, momentCount }: Request): readonly MetricToEncode[] {
  return Array.from({ length: momentCount }, (_, moment) =>
    series.map(({ name, kind, step, attributes: own }): MetricToEncode => {
      const value = typeof step === "bigint" ? BigInt(moment) * step : moment * step;
      const timeUnixNs = START_NS + BigInt(moment) * 10_000_000_000n;
      return {
        name,
        type: kind === "gauge" ? { kind } : { kind, isMonotonic: true },
        points: [{ timeUnixNs, value, attributes: own }],
      };
    }),
  ).flat();
}

function pointsOf(requests: readonly Request[]): readonly Point[] {
  let seq = 0;
  return requests.flatMap((one) =>
    metricsOf(one).flatMap(({ name, type, points }) =>
      points.map(({ value, timeUnixNs, attributes: own }): Point => {
        const record = {
          ...logRecord({ seq: ++seq, timeUnixNs, logger: one.scopeName }),
          resource: { attributes: one.resource, schemaUrl: "" },
          attributes: own,
        };
        const shown = new Map<string, AnyValue>([
          ["name", name],
          ["kind", type.kind],
          ["value", Number(value)],
        ]);
        return { record, shown: { ...record, attributes: shown } };
      }),
    ),
  );
}

const field = fc.oneof(
  fc.constantFrom<FieldRef>({ target: "node" }, { target: "logger" }),
  fc.record({
    target: fc.constantFrom("attribute" as const, "resource" as const, "any" as const),
    key: fc.constantFrom("direction", "latency_ms", "service.name", "missing"),
  }),
  fc.record({ target: fc.constant("any" as const), key: fc.constantFrom(...SHOWN_KEYS) }),
);
const fieldTest: fc.Arbitrary<FieldTest> = fc.oneof(
  fc.constant<FieldTest>({ op: "exists" }),
  fc.record({
    op: fc.constant("equals" as const),
    text: fc.constantFrom("camera-1", "node a", "network.io", "receive", "queue 42", "50", "gauge"),
    anyCase: fc.boolean(),
  }),
  fc.record({
    op: fc.constant("glob" as const),
    pattern: fc.constantFrom("cam*", "*-2", "*", "queue*", "net*io", "s*"),
    anyCase: fc.boolean(),
  }),
  fc.record({
    op: fc.constant("compare" as const),
    comparison: fc.constantFrom("<" as const, ">=" as const),
    value: fc.constantFrom(2, 7, 50, 0.5),
  }),
);
const leaf: fc.Arbitrary<Filter> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("field" as const), field, test: fieldTest }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("text" as const),
      match: fc.record({
        kind: fc.constant("literal" as const),
        text: fc.constantFrom("queue", "42", "receive", "network"),
        anyCase: fc.boolean(),
        startsAtWord: fc.boolean(),
        endsAtWord: fc.boolean(),
      }),
    }),
  },
);
const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { weight: 2, arbitrary: leaf },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("not" as const), of: tie("filter") }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom("and" as const, "or" as const),
        of: fc.array(tie("filter"), { minLength: 1, maxLength: 3 }),
      }),
    },
  ),
}));

const MERGE = { ...MERGE_LIMITS, countMin: 2, growthMin: 1 };

test(
  "random filters over points give what the naive evaluator gives, open, sealed by series, and merged",
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(request, fc.constantFrom("nothing", "seal", "merge")), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.array(filter, { minLength: 15, maxLength: 15 }),
        fc.constantFrom("newest" as const, "oldest" as const),
        async (steps, filters, order) => {
          const store: EmbeddedStore = await openStore(temporaryFolder(), {
            maintenance: { merge: MERGE, tickMs: 3_600_000 },
          });
          for (const [index, [one, action]] of steps.entries()) {
            const { resource, scopeName } = one;
            const body = encodeMetricsRequest({ resource, scopeName, metrics: metricsOf(one) });
            await store.append({ signal: "metrics", body, principal: String(index) });
            if (action !== "nothing") await store.seal();
            if (action === "merge") await store.merge();
          }
          const sign = order === "oldest" ? 1 : -1;
          const sorted = pointsOf(steps.map(([one]) => one)).toSorted(
            ({ record: left }, { record: right }) =>
              sign * (Number(left.timeUnixNs - right.timeUnixNs) || left.seq - right.seq),
          );
          for (const tree of filters) {
            const expected = sorted.filter((one) => matchesPoint(tree, one));
            const { entries, end } = await searchPoints(store, { filter: tree, order });
            expect(
              entries.map(({ seq, name, value }) => [seq, name, value]),
              JSON.stringify(tree),
            ).toEqual(
              expected.map(({ record, shown }) => [
                record.seq,
                shown.attributes.get("name"),
                shown.attributes.get("value"),
              ]),
            );
            expect(end.status).toBe("complete");
          }
          await store.close();
        },
      ),
      { numRuns: runs({ part: 60, full: 1_000 }) },
    );
  },
  LONG_TEST_MS,
);
