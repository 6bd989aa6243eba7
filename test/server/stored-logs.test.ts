import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import type { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import type { SpanToEncode } from "../../src/wire/otlp-encode.ts";
import { encodeTracesRequest } from "../../src/wire/otlp-encode.ts";
import type { LogParts } from "../log-store/store-user.ts";
import { appendLogs, openStore, temporaryFolder } from "../log-store/store-user.ts";
import { refusal, startApi } from "./scripted-store.ts";

/** 2025-01-07T20:34:00Z */
const START_NS = 1_736_282_040_000_000_000n;
const SECOND_NS = 1_000_000_000n;

async function startOverStore(): Promise<{ store: EmbeddedStore; url: string }> {
  const store = await openStore(temporaryFolder());
  const { url } = await startApi(onTestFinished, { store });
  return { store, url };
}

async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url);
  expect(response.status, url).toBe(200);
  return response.json();
}

const ENTRY = z.object({ seq: z.number() });
const END = z.object({ end: z.object({ status: z.string(), cursor: z.string().optional() }) });

async function page(url: string): Promise<{ seqs: number[]; cursor: string | undefined }> {
  const lines = (await (await fetch(url)).text()).trimEnd().split("\n");
  const { end } = END.parse(JSON.parse(lines.pop() ?? ""));
  return { seqs: lines.map((line) => ENTRY.parse(JSON.parse(line)).seq), cursor: end.cursor };
}

function log(second: number, parts: LogParts = {}): LogParts {
  return { timeUnixNs: START_NS + BigInt(second) * SECOND_NS, ...parts };
}

const WARN = { severityNumber: 13, severityText: "WARN" };

describe("search over a real store", () => {
  test("pages by cursor neither skip nor repeat, while records arrive", async () => {
    const { store, url } = await startOverStore();
    // Many records of one time: only the sequence number tells them apart.
    await appendLogs(
      store,
      Array.from({ length: 1500 }, (_, index) => log(index % 7)),
    );
    for (const order of ["newest", "oldest"]) {
      const whole = await page(`${url}/api/v1/logs/search?order=${order}`);
      expect(whole.cursor).toBeUndefined();
      const paged: number[] = [];
      let after = "";
      for (;;) {
        const next = await page(`${url}/api/v1/logs/search?order=${order}&limit=400${after}`);
        paged.push(...next.seqs);
        if (next.cursor === undefined) break;
        after = `&after=${encodeURIComponent(next.cursor)}`;
        await appendLogs(store, [log(3, { body: `late ${order} ${paged.length}` })]);
      }
      expect(paged).toEqual(whole.seqs);
    }
    const wrong = await fetch(`${url}/api/v1/logs/search?after=nonsense`);
    expect(await refusal(wrong)).toMatchObject({ status: 400, code: "CURSOR_INVALID" });
  });

  test("a budget that is spent makes the answer partial and says why (SEC-015)", async () => {
    const { store, url } = await startOverStore();
    for (let index = 0; index < 3; index++) {
      await appendLogs(store, [log(index, { body: `frame ${index}` })]);
      await store.seal();
    }
    const answer = await getJson(`${url}/api/v1/logs/count?query=frame&scan_bytes=1`);
    expect(answer).toMatchObject({ status: "partial", reasons: [expect.stringContaining("1")] });
  });
});

describe("counting over a real store", () => {
  test("count counts what matches, within the time range", async () => {
    const { store, url } = await startOverStore();
    await appendLogs(store, [log(0), log(10, WARN), log(20, WARN)]);
    expect(await getJson(`${url}/api/v1/logs/count`)).toMatchObject({
      count: 3,
      status: "complete",
      reasons: [],
    });
    const range = "since=2025-01-07T20:34:10Z&until=2025-01-07T20:34:20Z";
    expect(await getJson(`${url}/api/v1/logs/count?query=level:warn&${range}`)).toMatchObject({
      count: 1,
    });
    expect(await getJson(`${url}/api/v1/logs/count?query=absent`)).toMatchObject({ count: 0 });
  });

  test("groups count by node, level and time", async () => {
    const { store, url } = await startOverStore();
    await appendLogs(store, [log(0), log(59), log(60, WARN)]);
    await appendLogs(store, [log(1, WARN)], { "service.name": "planner" });
    const answer = await getJson(`${url}/api/v1/logs/groups?by=node,level,time(1m)`);
    expect(answer).toMatchObject({
      groups: [
        { node: "camera", level: "INFO", time: "2025-01-07T20:34:00.000000Z", count: 2 },
        { node: "camera", level: "WARN", time: "2025-01-07T20:35:00.000000Z", count: 1 },
        { node: "planner", level: "WARN", time: "2025-01-07T20:34:00.000000Z", count: 1 },
      ],
      status: "complete",
    });
    for (const by of ["node,", "node level", "time", "| count"]) {
      const refused = await fetch(`${url}/api/v1/logs/groups?by=${encodeURIComponent(by)}`);
      expect(await refusal(refused), by).toMatchObject({ status: 400, code: "QUERY_SYNTAX" });
    }
  });
});

describe("a histogram over a real store", () => {
  const NO_LEVELS = { UNSPECIFIED: 0, TRACE: 0, DEBUG: 0, INFO: 0, WARN: 0, ERROR: 0, FATAL: 0 };

  test("fills the buckets without records with 0 for every level", async () => {
    const { store, url } = await startOverStore();
    await appendLogs(store, [log(5), log(6, WARN), log(130, { severityNumber: 0 })]);
    expect(await getJson(`${url}/api/v1/logs/histogram?interval=1m`)).toMatchObject({
      interval_ns: 60_000_000_000,
      buckets: [
        { time: "2025-01-07T20:34:00.000000Z", count: 2, levels: { INFO: 1, WARN: 1, ERROR: 0 } },
        { time: "2025-01-07T20:35:00.000000Z", count: 0, levels: NO_LEVELS },
        { time: "2025-01-07T20:36:00.000000Z", count: 1, levels: { UNSPECIFIED: 1, INFO: 0 } },
      ],
      status: "complete",
    });
  });

  test("covers since to until, also where nothing happened", async () => {
    const { store, url } = await startOverStore();
    await appendLogs(store, [log(65)]);
    const range = "since=2025-01-07T20:33:30Z&until=2025-01-07T20:37:00Z";
    const answer = HISTOGRAM.parse(
      await getJson(`${url}/api/v1/logs/histogram?interval=1m&${range}`),
    );
    expect(answer.buckets.map(({ count }) => count)).toEqual([0, 0, 1, 0]);
    const none = await getJson(`${url}/api/v1/logs/histogram?query=absent`);
    expect(none).toMatchObject({ buckets: [], status: "complete" });
  });

  test("chooses an interval that gives about a hundred buckets", async () => {
    const { store, url } = await startOverStore();
    const cases = [
      [1, 10_000_000],
      [60, 1_000_000_000],
      [3600, 60_000_000_000],
      [86_400, 1_800_000_000_000],
      [365 * 86_400, 604_800_000_000_000],
      [20 * 365 * 86_400, 9 * 604_800_000_000_000],
    ] as const;
    for (const [seconds, intervalNs] of cases) {
      const node = `n${seconds}`;
      await appendLogs(store, [log(0), log(seconds)], { "service.name": node });
      const answer = HISTOGRAM.parse(
        await getJson(`${url}/api/v1/logs/histogram?query=node:${node}`),
      );
      expect(answer.interval_ns, node).toBe(intervalNs);
      expect(answer.buckets.length, node).toBeLessThanOrEqual(121);
      expect(
        answer.buckets.reduce((sum, { count }) => sum + count, 0),
        node,
      ).toBe(2);
    }
  });

  test("more than 11,000 points are refused (SEC-015)", async () => {
    const { store, url } = await startOverStore();
    await appendLogs(store, [log(0)]);
    const range = "since=2025-01-07T00:00:00Z&until=2025-01-07T03:03:21Z";
    const ask = (interval: string) =>
      fetch(`${url}/api/v1/logs/histogram?interval=${interval}&${range}`);
    expect(await refusal(await ask("1s"))).toMatchObject({ status: 400, code: "QUERY_TOO_LARGE" });
    expect((await ask("2s")).status).toBe(200);
  });
});

const HISTOGRAM = z.object({
  interval_ns: z.number(),
  buckets: z.array(z.object({ time: z.string(), count: z.number() })),
});

describe("a trace over a real store", () => {
  const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

  function span(id: string, second: number, parent = ""): SpanToEncode {
    return {
      traceId: TRACE,
      spanId: id.repeat(16),
      ...(parent === "" ? {} : { parentSpanId: parent.repeat(16) }),
      name: id,
      kind: 1,
      startTimeUnixNs: START_NS + BigInt(second) * SECOND_NS,
      endTimeUnixNs: START_NS + BigInt(second + 1) * SECOND_NS,
      attributes: new Map(),
    };
  }

  test("is a tree of its spans with the logs in between", async () => {
    const { store, url } = await startOverStore();
    const spans = [span("b", 1, "a"), span("a", 0), span("c", 2, "d")];
    const resource = new Map([["service.name", "camera"]]);
    await store.append({
      signal: "traces",
      body: encodeTracesRequest({ resource, scopeName: "", spans }),
      principal: "",
    });
    await appendLogs(store, [
      log(1, { body: "in b", traceId: TRACE, spanId: "b".repeat(16) }),
      log(2, { body: "nowhere", traceId: TRACE }),
      log(3, { body: "another", traceId: "0".repeat(31) + "1" }),
    ]);
    const answer = await getJson(`${url}/api/v1/traces/${TRACE.toUpperCase()}`);
    expect(answer).toMatchObject({
      trace_id: TRACE,
      spans: [
        {
          name: "a",
          node: "camera",
          duration_ns: 1e9,
          logs: [],
          children: [{ name: "b", children: [], logs: [{ message: "in b" }] }],
        },
        { name: "c", children: [] },
      ],
      logs: [{ message: "nowhere" }],
      missing_parents: 1,
      status: "complete",
      reasons: [],
    });
  });

  test("an unknown trace is not found, what is no id is refused", async () => {
    const { url } = await startOverStore();
    const unknown = await fetch(`${url}/api/v1/traces/${TRACE}`);
    expect(await refusal(unknown)).toMatchObject({ status: 404, code: "NOT_FOUND" });
    for (const id of ["abc", `${TRACE}0`, "x".repeat(32)]) {
      const refused = await fetch(`${url}/api/v1/traces/${id}`);
      expect(await refusal(refused), id).toMatchObject({ status: 400, code: "REQUEST_INVALID" });
    }
  });
});

test("status shows the law of what was stored", async () => {
  const { store, url } = await startOverStore();
  await appendLogs(store, [log(0), log(1)]);
  const { signals } = z
    .object({ signals: z.record(z.string(), z.record(z.string(), z.number())) })
    .parse(await getJson(`${url}/api/v1/status`));
  expect(signals["logs"]).toMatchObject({ received: 2, stored: 2, pending: 0, dropped: 0 });
});
