import { expect, test } from "vitest";
import type { FieldTest, Filter } from "../../src/core/filter.ts";
import type { Signal } from "../../src/core/record.ts";
import { ALL_TIME } from "../../src/core/time.ts";
import type { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import { encodeMetricsRequest, encodeTracesRequest } from "../../src/wire/otlp-encode.ts";
import { BUDGET, openStore, temporaryFolder } from "./store-user.ts";

const START_NS = 1_736_282_047_000_000_000n;
const resource = new Map([["service.name", "camera"]]);

/** A slow failed call and a quick one; the quick one has attributes of the same names. */
async function storeOfBoth(): Promise<EmbeddedStore> {
  const store = await openStore(temporaryFolder());
  const attributes = new Map<string, string>();
  const span = {
    traceId: "5b8efff798038103d269b633813fc60c",
    startTimeUnixNs: START_NS,
    attributes,
  };
  const spans = encodeTracesRequest({
    resource,
    scopeName: "test",
    spans: [
      {
        ...span,
        spanId: "eee19b7ec3c1b174",
        name: "capture",
        kind: 2,
        endTimeUnixNs: START_NS + 250_000_000n,
        statusCode: 2,
      },
      {
        ...span,
        spanId: "eee19b7ec3c1b175",
        name: "encode",
        kind: 3,
        endTimeUnixNs: START_NS + 2_000_001n,
        attributes: new Map([["status", "error"]]),
      },
    ],
  });
  await store.append({ signal: "traces", body: spans, principal: "" });
  const points = encodeMetricsRequest({
    resource,
    scopeName: "test",
    metrics: [
      {
        name: "frames",
        unit: "1",
        type: { kind: "sum", isMonotonic: true },
        points: [{ timeUnixNs: START_NS, value: 7n, attributes }],
      },
      {
        name: "temperature",
        unit: "Cel",
        type: { kind: "gauge" },
        points: [{ timeUnixNs: START_NS, value: 36.5, attributes }],
      },
    ],
  });
  await store.append({ signal: "metrics", body: points, principal: "" });
  return store;
}

async function count(
  store: EmbeddedStore,
  signal: Signal,
  key: string,
  is: FieldTest,
): Promise<number> {
  const filter: Filter = { kind: "field", field: { target: "any", key }, test: is };
  const stats = [{ kind: "count", name: "n" }] as const;
  const request = { signal, filter, range: ALL_TIME, by: [], stats, budget: BUDGET };
  const { rows } = await store.aggregate(request, new AbortController().signal);
  return Number(rows[0]?.["n"]);
}

const equals = (text: string): FieldTest => ({ op: "equals", text, anyCase: true });
const over = (value: number): FieldTest => ({ op: "compare", comparison: ">", value });

test.each([
  ["traces", "name", equals("capture"), 1],
  ["traces", "kind", equals("server"), 1],
  ["traces", "status", equals("error"), 1],
  ["traces", "status", equals("unset"), 1],
  ["traces", "duration_ms", over(100), 1],
  ["traces", "duration_ms", over(1), 2],
  ["traces", "duration_ns", over(2_000_000), 2],
  ["traces", "duration_ns", over(2_000_001), 1],
  ["metrics", "name", equals("frames"), 1],
  ["metrics", "kind", equals("gauge"), 1],
  ["metrics", "value", over(36), 1],
  ["metrics", "value", over(6), 2],
] as const)(
  "in %s a bare %s is the entry's own: %o gives %i",
  async (signal, key, is, expected) => {
    const store = await storeOfBoth();
    expect(await count(store, signal, key, is)).toBe(expected);
    await store.seal();
    expect(await count(store, signal, key, is)).toBe(expected);
  },
);
