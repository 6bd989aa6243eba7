import { describe, expect, test } from "vitest";
import type { Json } from "../../src/core/any-value.ts";
import { ALL_TIME } from "../../src/core/time.ts";
import type { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import type { LogStore, SearchRequest } from "../../src/log-store/log-store.ts";
import { parseQuery } from "../../src/query/parse-query.ts";
import type { Row } from "../../src/query/row.ts";
import { parseRows } from "../../src/query/row.ts";
import type { QueryEnd, RunOptions } from "../../src/query/run-query.ts";
import { runQuery } from "../../src/query/run-query.ts";
import { appendLogs, BUDGET, openStore, temporaryFolder } from "../log-store/store-user.ts";

const START_NS = 1_736_282_040_000_000_000n;
const OPTIONS: RunOptions = { range: ALL_TIME, order: "oldest", budget: BUDGET };

/** Eight records, a second apart: m0 to m7. */
async function openSmallStore(): Promise<EmbeddedStore> {
  const store = await openStore(temporaryFolder());
  const latencies = [5n, "100", 20.5, null, "slow", 7n, 30n, -1n];
  const records = latencies.map((latency, index) => ({
    timeUnixNs: START_NS + BigInt(index) * 1_000_000_000n,
    body: `m${index}`,
    severityNumber: [17, 9, 13, 17, 21, 9, 0, 5][index],
    attributes: new Map([["ms", latency]]),
  }));
  await appendLogs(store, records.slice(0, 5), { "service.name": "camera" });
  await appendLogs(store, records.slice(5), { "service.name": "planner" });
  return store;
}

interface Answer {
  readonly rows: readonly Row[];
  readonly counts: readonly number[];
  readonly cursors: readonly (string | undefined)[];
  readonly end: QueryEnd;
}

async function run(
  store: LogStore,
  query: string,
  options: Partial<RunOptions> = {},
): Promise<Answer> {
  const batches = runQuery(
    store,
    parseQuery(query),
    { ...OPTIONS, ...options },
    new AbortController().signal,
  );
  const rows: Row[] = [];
  const counts: number[] = [];
  const cursors: (string | undefined)[] = [];
  for (;;) {
    const step = await batches.next();
    if (step.done === true) return { rows, counts, cursors, end: step.value };
    const parsed = parseRows(step.value.lines);
    expect(parsed).toHaveLength(step.value.count);
    rows.push(...parsed);
    counts.push(step.value.count);
    cursors.push(step.value.cursor);
  }
}

async function messagesOf(
  store: LogStore,
  query: string,
  options?: Partial<RunOptions>,
): Promise<readonly Json[]> {
  return (await run(store, query, options)).rows.map((row) => row["message"] ?? null);
}

/** A store whose searches spend their budget after `count` entries. */
function stoppedAt(store: LogStore, count: number, cursor: string): LogStore {
  return {
    async *search(request, abort) {
      const end = yield* store.search({ ...request, limit: count }, abort);
      return { ...end, status: "partial", reasons: ["stopped"], cursor };
    },
    aggregate: (request, abort) => store.aggregate(request, abort),
    follow: (request, abort) => store.follow(request, abort),
  };
}

describe("searches", () => {
  test("entries without pipes are the store's own lines, byte for byte", async () => {
    const store = await openSmallStore();
    const query = parseQuery("level>=warn");
    const abort = new AbortController().signal;
    const request: SearchRequest = { ...OPTIONS, signal: "logs", filter: query.filter };
    const stored = await store.search(request, abort).next();
    const answered = await runQuery(store, query, OPTIONS, abort).next();
    expect(answered.value).toEqual(stored.value);
    expect(answered.value).toMatchObject({ count: 4 });
    expect(answered.done).toBe(false);
  });

  test("the limit of a pipe, of the options, or of both is kept, in the order asked for", async () => {
    const store = await openSmallStore();
    expect(await messagesOf(store, "| limit 3")).toEqual(["m0", "m1", "m2"]);
    expect(await messagesOf(store, "| limit 3", { order: "newest" })).toEqual(["m7", "m6", "m5"]);
    expect(await messagesOf(store, "| limit 3 | limit 2")).toEqual(["m0", "m1"]);
    expect(await messagesOf(store, "| limit 3", { limit: 2 })).toEqual(["m0", "m1"]);
    expect(await messagesOf(store, "| fields message | limit 2")).toEqual(["m0", "m1"]);
    expect(await messagesOf(store, "| sort ms desc", { limit: 1 })).toEqual(["m4"]);
    expect(await messagesOf(store, "| sort ms", { limit: 0 })).toEqual([]);
  });

  test("a range of time bounds the answer, from inclusive, to exclusive", async () => {
    const store = await openSmallStore();
    const range = { fromUnixNs: START_NS + 1_000_000_000n, toUnixNs: START_NS + 3_000_000_000n };
    expect(await messagesOf(store, "", { range })).toEqual(["m1", "m2"]);
    expect((await run(store, "| count", { range })).rows).toEqual([{ count: 2 }]);
  });

  test("pages by cursor neither skip nor repeat, through pipes and up to their limit (TIME-005)", async () => {
    const store = await openSmallStore();
    for (const [query, expected] of [
      ["", 8],
      ["| fields message", 8],
      ["| limit 5", 5],
      ["| fields message | limit 7", 7],
    ] as const) {
      const seen: Json[] = [];
      let after: string | undefined;
      do {
        const page = await run(store, query, {
          limit: 2,
          ...(after === undefined ? {} : { after }),
        });
        seen.push(...page.rows.map((row) => row["message"] ?? null));
        after = page.end.cursor;
        expect(seen.length, query).toBeLessThanOrEqual(8);
      } while (after !== undefined);
      expect(seen, query).toEqual(Array.from({ length: expected }, (_, index) => `m${index}`));
    }
  });

  test("a batch's cursor goes on behind its last row", async () => {
    const store = await openSmallStore();
    for (const query of ["", "| fields message", "| limit 100"]) {
      const { cursors } = await run(store, query, { limit: 3 });
      const after = cursors.at(-1);
      expect(after, query).toBeDefined();
      expect(await messagesOf(store, query, { after: after ?? "" }), query).toEqual([
        "m3",
        "m4",
        "m5",
        "m6",
        "m7",
      ]);
    }
  });

  test.each(["| sort ms", "| count", "| top node"])(
    "%s has no cursors and takes none",
    async (query) => {
      const store = await openSmallStore();
      const { cursors, end } = await run(store, query, { limit: 1 });
      expect(cursors).toEqual([undefined]);
      expect(end.cursor).toBeUndefined();
      await expect(run(store, query, { after: "x" })).rejects.toMatchObject({
        code: "CURSOR_INVALID",
      });
    },
  );

  test("a cursor of another query, or no cursor at all, is refused", async () => {
    const store = await openSmallStore();
    const plain = (await run(store, "", { limit: 1 })).end.cursor ?? "";
    for (const [query, after] of [
      ["| limit 5", plain],
      ["| limit 5", "5~nonsense"],
      ["", "nonsense"],
    ] as const) {
      await expect(run(store, query, { after })).rejects.toMatchObject({ code: "CURSOR_INVALID" });
    }
  });

  test("an aborted query ends with the reason of the abort", async () => {
    const store = await openSmallStore();
    const abort = new AbortController();
    abort.abort(new Error("client went away"));
    for (const query of ["", "| count", "| sort ms"]) {
      const batches = runQuery(store, parseQuery(query), OPTIONS, abort.signal);
      await expect(batches.next(), query).rejects.toThrow("client went away");
    }
  });
});

describe("fields", () => {
  test("rows have these columns in this order, null where an entry has none", async () => {
    const store = await openSmallStore();
    const { rows } = await run(
      store,
      "m3 OR m7 | fields node, ms, missing, level, time, resource.service.name",
    );
    expect(rows.map((row) => Object.entries(row))).toEqual([
      [
        ["node", "camera"],
        ["ms", null],
        ["missing", null],
        ["level", "ERROR"],
        ["timestamp", "2025-01-07T20:34:03.000000Z"],
        ["resource.service.name", "camera"],
      ],
      [
        ["node", "planner"],
        ["ms", -1],
        ["missing", null],
        ["level", "DEBUG"],
        ["timestamp", "2025-01-07T20:34:07.000000Z"],
        ["resource.service.name", "planner"],
      ],
    ]);
  });

  test("a bare name is an entry's key, else an attribute; in quotes an attribute (SEC-005)", async () => {
    const store = await openStore(temporaryFolder());
    const attributes = new Map([
      ["seq", "mine"],
      ["__proto__", "polluted"],
    ]);
    await appendLogs(store, [{ body: "x", attributes }]);
    const { rows } = await run(store, '| fields seq, attributes.seq, "__proto__", constructor');
    expect(rows.map((row) => Object.entries(row))).toEqual([
      [
        ["seq", 1],
        ["attributes.seq", "mine"],
        ["__proto__", "polluted"],
        ["constructor", null],
      ],
    ]);
  });
});

describe("sort", () => {
  test("numbers, and texts that are numbers, come before other texts, absent values last", async () => {
    const store = await openSmallStore();
    const ascending = ["m7", "m0", "m5", "m2", "m6", "m1", "m4", "m3"];
    expect(await messagesOf(store, "| sort ms")).toEqual(ascending);
    expect(await messagesOf(store, "| sort ms desc")).toEqual([
      "m4",
      "m1",
      "m6",
      "m2",
      "m5",
      "m0",
      "m7",
      "m3",
    ]);
  });

  test("levels sort by severity, equal rows stay as they came, further keys decide (LOG-001)", async () => {
    const store = await openSmallStore();
    expect(await messagesOf(store, "| sort level desc")).toEqual([
      "m4",
      "m0",
      "m3",
      "m2",
      "m1",
      "m5",
      "m7",
      "m6",
    ]);
    expect(await messagesOf(store, "level:error | sort level, message desc")).toEqual(["m3", "m0"]);
    const { rows } = await run(store, "| count by level | sort level desc");
    expect(rows.map((row) => row["level"])).toEqual([
      "FATAL",
      "ERROR",
      "WARN",
      "INFO",
      "DEBUG",
      "UNSPECIFIED",
    ]);
  });

  test("a limit behind a sort, or of the answer, gives its first rows; one before it, its input", async () => {
    const store = await openSmallStore();
    expect(await messagesOf(store, "| sort ms | fields message | limit 3")).toEqual([
      "m7",
      "m0",
      "m5",
    ]);
    expect(await messagesOf(store, "| sort ms desc", { limit: 2 })).toEqual(["m4", "m1"]);
    expect(await messagesOf(store, "| limit 3 | sort ms desc")).toEqual(["m1", "m2", "m0"]);
    expect(await messagesOf(store, "| sort ms | limit 4 | sort message")).toEqual([
      "m0",
      "m2",
      "m5",
      "m7",
    ]);
  });

  test("a sort keeps the query's budget of memory", async () => {
    const store = await openSmallStore();
    const budget = { ...BUDGET, memoryBytes: 1000 };
    await expect(run(store, "| sort ms", { budget })).rejects.toMatchObject({
      code: "QUERY_TOO_LARGE",
    });
  });
});

describe("groups", () => {
  test("count, stats and top give rows of keys, then figures", async () => {
    const store = await openSmallStore();
    expect((await run(store, "| count")).rows).toEqual([{ count: 8 }]);
    expect((await run(store, "| count by node")).rows).toEqual([
      { node: "camera", count: 5 },
      { node: "planner", count: 3 },
    ]);
    expect((await run(store, "| count by time(5s)")).rows).toEqual([
      { time: "2025-01-07T20:34:00.000000Z", count: 5 },
      { time: "2025-01-07T20:34:05.000000Z", count: 3 },
    ]);
    const stats = "| stats count() as n, min(ms), max(ms), sum(ms), avg(ms) as mean by node";
    expect((await run(store, stats)).rows).toEqual([
      { node: "camera", n: 5, min_ms: 5, max_ms: 100, sum_ms: 125.5, mean: 125.5 / 3 },
      { node: "planner", n: 3, min_ms: -1, max_ms: 30, sum_ms: 36, mean: 12 },
    ]);
    expect((await run(store, "| top 2 level")).rows).toEqual([
      { level: "ERROR", count: 2 },
      { level: "INFO", count: 2 },
    ]);
  });

  test("pipes go on over the rows of groups, and the limit of the answer holds for them", async () => {
    const store = await openSmallStore();
    const query = "| count by level, node | sort count desc, level | fields count, level";
    const { rows, end } = await run(store, query, { limit: 2 });
    expect(rows.map((row) => Object.entries(row))).toEqual([
      [
        ["count", 2],
        ["level", "ERROR"],
      ],
      [
        ["count", 1],
        ["level", "UNSPECIFIED"],
      ],
    ]);
    expect(end).toMatchObject({ status: "complete", reasons: [] });
  });

  test("a limit of the query, once reached, is its end; one of the answer is not", async () => {
    const store = await openSmallStore();
    expect((await run(store, "| limit 5")).end.cursor).toBeUndefined();
    expect((await run(store, "| limit 5", { limit: 5 })).end.cursor).toBeUndefined();
    expect((await run(store, "| limit 5", { limit: 4 })).end.cursor).toBeDefined();
    expect((await run(store, "| fields node", { limit: 5 })).end.cursor).toBeDefined();
  });

  test("sorted rows of a partial search have no cursor, though the search has one", async () => {
    const store = await openSmallStore();
    const cursor = (await run(store, "", { limit: 5 })).end.cursor ?? "";
    for (const [query, end] of [
      ["", { status: "partial", reasons: ["stopped"], cursor }],
      ["| fields ms", { status: "partial", reasons: ["stopped"], cursor }],
      ["| sort ms", { status: "partial", reasons: ["stopped"] }],
    ] as const) {
      const answer = await run(stoppedAt(store, 5, cursor), query);
      expect(answer.rows.length, query).toBe(5);
      const { status, reasons, cursor: next } = answer.end;
      expect({ status, reasons, cursor: next }, query).toEqual({ cursor: undefined, ...end });
    }
  });

  test("a budget that is spent makes sorted and grouped answers partial, with the reason", async () => {
    const store = await openSmallStore();
    const budget = { ...BUDGET, timeMs: -1 };
    for (const query of ["", "| sort ms", "| count by node"]) {
      const { end } = await run(store, query, { budget });
      expect(end.status, query).toBe("partial");
      expect(end.reasons.length, query).toBeGreaterThan(0);
    }
  });
});
