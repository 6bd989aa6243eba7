import { once } from "node:events";
import http from "node:http";
import { describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { LOG_ENTRY_KEYS } from "../../src/core/entry.ts";
import type {
  AggregateResult,
  LogStore,
  SearchBatch,
  SearchEnd,
  SearchRequest,
} from "../../src/log-store/log-store.ts";
import { batchOf, COMPLETE, logEntry, scriptedStore, startApi } from "./scripted-store.ts";

/** A search that gives these batches and this end. */
function gives(batches: readonly SearchBatch[], end: SearchEnd): LogStore["search"] {
  return async function* () {
    yield* batches;
    return end;
  };
}

const PARTIAL: SearchEnd = {
  status: "partial",
  reasons: ["stopped after its time — of 5 ms"],
  cursor: "c2",
  scannedBytes: 70,
  scannedRows: 7,
};

const ENTRIES = [
  logEntry({ seq: 1, message: "=1+1" }),
  logEntry({ seq: 2, message: 'say "ü"\nagain', attributes: { frame: 7 } }),
];

function responseOf(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => request.on("response", resolve).on("error", reject));
}

/** An answer read with node's own client, which shows trailers. */
async function get(url: string): Promise<{
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly trailers: NodeJS.Dict<string>;
  readonly body: string;
  readonly isWhole: boolean;
}> {
  const request = http.get(url, { agent: false });
  const response = await responseOf(request);
  let body = "";
  response.setEncoding("utf8").on("data", (part: string) => (body += part));
  response.on("error", () => {});
  await new Promise<void>((resolve) => response.on("close", resolve));
  const { statusCode: status, headers, trailers, complete: isWhole } = response;
  return { status, headers, trailers, body, isWhole };
}

describe("/api/v1/logs/search", () => {
  test("streams entries as JSON Lines and says last how it ended", async ({ onTestFinished }) => {
    const search = gives([batchOf(ENTRIES.slice(0, 1)), batchOf(ENTRIES.slice(1))], PARTIAL);
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ search }) });
    const { body, headers, trailers } = await get(`${url}/api/v1/logs/search`);
    const lines = body
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    const end = {
      status: "partial",
      reasons: ["stopped after its time — of 5 ms"],
      cursor: "c2",
      count: 2,
      scanned_rows: 7,
      scanned_bytes: 70,
    };
    expect(lines).toEqual([...ENTRIES, { end }]);
    expect(headers["content-type"]).toBe("application/x-ndjson; charset=utf-8");
    expect(trailers["dora-status"]).toBe("partial");
    expect(JSON.parse(trailers["dora-end"] ?? "")).toEqual(end);
  });

  test("hands range, order, limit and cursor on to the store", async ({ onTestFinished }) => {
    const asked: SearchRequest[] = [];
    const search: LogStore["search"] = async function* (request) {
      asked.push(request);
      yield* [];
      return COMPLETE;
    };
    const { url } = await startApi(onTestFinished, {
      store: scriptedStore({ search }),
      clock: { nowUnixNs: () => 3_600_000_000_000n, monotonicMs: () => 0 },
    });
    const { body } = await get(
      `${url}/api/v1/logs/search?query=level>=warn&since=-15m&until=now&limit=5&order=oldest&after=x`,
    );
    expect(body).toBe(
      '{"end":{"status":"complete","reasons":[],"count":0,"scanned_rows":0,"scanned_bytes":0}}\n',
    );
    expect(asked).toMatchObject([
      {
        signal: "logs",
        filter: { kind: "severity", min: 13, max: 24 },
        range: { fromUnixNs: 2_700_000_000_000n, toUnixNs: 3_600_000_000_000n },
        limit: 5,
        order: "oldest",
        after: "x",
        budget: { timeMs: 30_000 },
      },
    ]);
  });

  test("a search without a limit is an export: it has no cap of time unless asked", async ({
    onTestFinished,
  }) => {
    const times: number[] = [];
    const search: LogStore["search"] = async function* ({ budget }) {
      times.push(budget.timeMs);
      yield* [];
      return COMPLETE;
    };
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ search }) });
    await get(`${url}/api/v1/logs/search?format=csv`);
    await get(`${url}/api/v1/logs/search?format=csv&timeout_ms=7`);
    await get(`${url}/api/v1/logs/query?query=*|fields%20node`);
    await get(`${url}/api/v1/logs/query?query=*|sort%20node`);
    expect(times).toEqual([Infinity, 7, Infinity, 30_000]);
  });

  test("gives JSON, CSV and YAML, with the status in a trailer", async ({ onTestFinished }) => {
    const store = scriptedStore({ search: gives([batchOf(ENTRIES)], PARTIAL) });
    const { url } = await startApi(onTestFinished, { store });
    const json = await get(`${url}/api/v1/logs/search?format=json`);
    expect(JSON.parse(json.body)).toEqual(ENTRIES);
    expect(json.headers["content-type"]).toBe("application/json; charset=utf-8");
    const csv = await get(`${url}/api/v1/logs/search?format=csv`);
    expect(csv.body.split("\r\n")[0]).toBe(LOG_ENTRY_KEYS.join(","));
    expect(csv.body.split("\r\n")[1]).toContain(",'=1+1,");
    const yaml = await get(`${url}/api/v1/logs/search?format=yaml`);
    expect(parseYaml(yaml.body)).toEqual(ENTRIES);
    for (const { trailers, isWhole } of [json, csv, yaml]) {
      expect(trailers["dora-status"]).toBe("partial");
      expect(isWhole).toBe(true);
    }
  });

  test("an empty answer is a whole document in every format", async ({ onTestFinished }) => {
    const { url } = await startApi(onTestFinished);
    expect(JSON.parse((await get(`${url}/api/v1/logs/search?format=json`)).body)).toEqual([]);
    expect((await get(`${url}/api/v1/logs/search?format=csv`)).body).toBe(
      `${LOG_ENTRY_KEYS.join(",")}\r\n`,
    );
    expect(parseYaml((await get(`${url}/api/v1/logs/search?format=yaml`)).body)).toEqual([]);
  });

  test("an answer that fails on its way is cut off in every format", async ({ onTestFinished }) => {
    // Enough that every format has sent a part of it.
    const batch = batchOf(Array.from({ length: 1000 }, (_, seq) => logEntry({ seq })));
    const search: LogStore["search"] = async function* () {
      for (let count = 0; count < 10; count++) {
        yield batch;
        await new Promise((resolve) => setImmediate(resolve));
      }
      throw new Error("the disk broke");
    };
    const { url, logged } = await startApi(onTestFinished, { store: scriptedStore({ search }) });
    for (const format of ["jsonl", "json", "csv", "yaml"]) {
      const answer = await get(`${url}/api/v1/logs/search?format=${format}`);
      expect({ ...answer, body: "" }, format).toMatchObject({ status: 200, isWhole: false });
      expect(answer.trailers, format).toEqual({});
      expect(answer.body, format).toContain("Connection timeout.");
      expect(answer.body, format).not.toContain('{"end"');
    }
    expect(logged).toEqual(Array.from({ length: 4 }, () => "an answer was cut off"));
  });

  test("what fails before the first entry is an ordinary error", async ({ onTestFinished }) => {
    const { url } = await startApi(onTestFinished);
    const after = await get(`${url}/api/v1/logs/query?query=*|count&after=x`);
    expect(after.status).toBe(400);
    expect(JSON.parse(after.body)).toMatchObject({ error: { code: "CURSOR_INVALID" } });
  });
});

describe("/api/v1/logs/query", () => {
  test("gives the rows that pipes make", async ({ onTestFinished }) => {
    const aggregate: LogStore["aggregate"] = async () => ({
      ...COMPLETE,
      rows: [{ node: "camera", count: 2 }],
    });
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ aggregate }) });
    const query = encodeURIComponent("* | count by node");
    const { body } = await get(`${url}/api/v1/logs/query?query=${query}`);
    expect(body.split("\n")[0]).toBe('{"node":"camera","count":2}');
    const csv = await get(`${url}/api/v1/logs/query?query=${query}&format=csv`);
    expect(csv.body).toBe("node,count\r\ncamera,2\r\n");
  });
});

describe("slow and leaving clients", () => {
  /** A search that would never end; notes how far it came and how it was left. */
  function endless(): {
    readonly search: LogStore["search"];
    readonly seen: { batches: number; isReturned: boolean; isAborted: boolean };
  } {
    const seen = { batches: 0, isReturned: false, isAborted: false };
    const batch = batchOf(Array.from({ length: 200 }, (_, seq) => logEntry({ seq })));
    const search: LogStore["search"] = async function* (_request, signal) {
      signal.addEventListener("abort", () => (seen.isAborted = true));
      try {
        for (;;) {
          seen.batches++;
          yield batch;
          // What a real store does between batches; without it a test could not see the timers run.
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        seen.isReturned = true;
      }
    };
    return { search, seen };
  }

  test("a search is aborted when its client goes away", async ({ onTestFinished }) => {
    const { search, seen } = endless();
    const { url, logged } = await startApi(onTestFinished, { store: scriptedStore({ search }) });
    for (const format of ["jsonl", "csv"]) {
      seen.isAborted = seen.isReturned = false;
      const request = http.get(`${url}/api/v1/logs/search?format=${format}`);
      const response = await responseOf(request);
      response.on("error", () => {});
      await once(response, "data");
      response.destroy();
      await expect.poll(() => seen).toMatchObject({ isAborted: true, isReturned: true });
    }
    expect(logged).toEqual([]);
  });

  test("a query that gave nothing yet is aborted too, and its slot is free again", async ({
    onTestFinished,
  }) => {
    const seen = { started: 0, aborted: 0 };
    const wait = (signal: AbortSignal) =>
      new Promise<SearchBatch & AggregateResult>((_resolve, reject) => {
        seen.started++;
        signal.addEventListener("abort", () => {
          seen.aborted++;
          reject(new Error("aborted"));
        });
      });
    const search: LogStore["search"] = async function* (_request, signal) {
      yield await wait(signal);
      return COMPLETE;
    };
    const aggregate: LogStore["aggregate"] = (_request, signal) => wait(signal);
    const { url, logged } = await startApi(onTestFinished, {
      store: scriptedStore({ search, aggregate }),
      limits: { queriesPerPrincipalMax: 1 },
    });
    const paths = ["logs/search", "logs/count", "logs/histogram", `traces/${"a".repeat(32)}`];
    for (const path of paths) {
      seen.started = seen.aborted = 0;
      const searches = path.startsWith("traces") ? 2 : 1;
      const leaving = new AbortController();
      const answer = fetch(`${url}/api/v1/${path}`, { signal: leaving.signal });
      const left = expect(answer).rejects.toThrow("aborted");
      await expect.poll(() => seen.started).toBe(searches);
      leaving.abort();
      await left;
      await expect.poll(() => seen.aborted).toBe(searches);
    }
    expect(logged).toEqual([]);
  });

  test("a client that reads slowly holds the search back", async ({ onTestFinished }) => {
    const { search, seen } = endless();
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ search }) });
    const request = http.get(`${url}/api/v1/logs/search`);
    const response = await responseOf(request);
    onTestFinished(() => void response.destroy());
    response.pause();
    // It stands still once the buffers between the two are full.
    let last = -1;
    await expect
      .poll(
        () => {
          const isStill = seen.batches === last;
          last = seen.batches;
          return isStill;
        },
        { interval: 100 },
      )
      .toBe(true);
    const stoodAt = seen.batches;
    response.resume();
    await expect.poll(() => seen.batches).toBeGreaterThan(stoodAt + 50);
  });
});
