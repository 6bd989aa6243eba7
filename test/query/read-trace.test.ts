import { describe, expect, test } from "vitest";
import type { LogStore, SearchEnd, SearchRequest } from "../../src/log-store/log-store.ts";
import { readTrace } from "../../src/query/read-trace.ts";
import { batchOf, COMPLETE, logEntry, scriptedStore } from "../server/scripted-store.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const BUDGET = { timeMs: 1000, scanBytes: 1e9, memoryBytes: 1e9 };

interface Script {
  /** Bytes of each message. */
  readonly messageBytes: number;
  readonly end?: SearchEnd;
}

/** A store with so many log records in the trace and no span; notes what it was asked. */
function storeWith(count: number, { messageBytes, end = COMPLETE }: Script) {
  const seen: { readonly requests: SearchRequest[]; given: number } = { requests: [], given: 0 };
  const message = "x".repeat(messageBytes);
  const search: LogStore["search"] = async function* (request) {
    seen.requests.push(request);
    if (request.signal !== "logs") return COMPLETE;
    const total = Math.min(count, request.limit ?? count);
    for (let from = 0; from < total; from += 100) {
      const size = Math.min(100, total - from);
      seen.given += size;
      yield batchOf(
        Array.from({ length: size }, (_, index) => logEntry({ seq: from + index, message })),
      );
    }
    return end;
  };
  return { store: scriptedStore({ search }), seen };
}

function read(store: LogStore, traceId = TRACE_ID): ReturnType<typeof readTrace> {
  return readTrace(store, traceId, BUDGET, new AbortController().signal);
}

describe("readTrace", () => {
  test("asks for spans and logs of the id, oldest first, whatever its case", async () => {
    const { store, seen } = storeWith(1, { messageBytes: 1 });
    await read(store, TRACE_ID.toUpperCase());
    expect(seen.requests.map(({ signal }) => signal)).toEqual(["traces", "logs"]);
    for (const request of seen.requests) {
      expect(request).toMatchObject({
        filter: { field: { target: "trace_id" }, test: { op: "equals", text: TRACE_ID } },
        order: "oldest",
        budget: BUDGET,
      });
    }
  });

  test("10,000 entries are read, one more makes the answer partial (SEC-015)", async () => {
    const whole = await read(storeWith(10_000, { messageBytes: 1 }).store);
    expect(whole).toMatchObject({ status: "complete", reasons: [] });
    expect(whole.logs).toHaveLength(10_000);
    const cut = await read(storeWith(10_001, { messageBytes: 1 }).store);
    expect(cut.status).toBe("partial");
    expect(cut.reasons.join()).toContain("more than 10000 records in logs");
    expect(cut.logs).toHaveLength(10_000);
  });

  test("stops reading at 32 MiB and says so (SEC-015)", async () => {
    const { store, seen } = storeWith(2_000, { messageBytes: 100_000 });
    const cut = await read(store);
    expect(cut.status).toBe("partial");
    expect(cut.reasons.join()).toContain("exceed 33554432 bytes");
    expect(cut.logs).toHaveLength(300);
    expect(seen.given).toBe(400);
  });

  test("a search that was partial makes the trace partial, each reason once", async () => {
    const end: SearchEnd = { ...COMPLETE, status: "partial", reasons: ["a file is damaged"] };
    const answer = await read(storeWith(1, { messageBytes: 1, end }).store);
    expect(answer).toMatchObject({ status: "partial", reasons: ["a file is damaged"] });
    // Nothing was found, but nobody knows whether there is nothing.
    const empty = await read(storeWith(0, { messageBytes: 1, end }).store);
    expect(empty).toMatchObject({ status: "partial", spans: [], logs: [] });
  });

  test("refuses what is no id, and an id of nothing", async () => {
    const { store } = storeWith(0, { messageBytes: 1 });
    await expect(read(store)).rejects.toMatchObject({ code: "NOT_FOUND" });
    for (const id of ["", "abc", `${TRACE_ID}0`, "g".repeat(32)]) {
      await expect(read(store, id), id).rejects.toMatchObject({ code: "REQUEST_INVALID" });
    }
  });
});
