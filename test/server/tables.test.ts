import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { encodeTracesRequest } from "../../src/wire/otlp-encode.ts";
import { appendLogs, openStore, temporaryFolder } from "../log-store/store-user.ts";
import { refusal, startApi } from "./scripted-store.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";

/** A store with a log record of its own time, two spans, and no data point. */
async function startOverStore(): Promise<string> {
  const store = await openStore(temporaryFolder());
  await appendLogs(store, [{ body: "a log record" }]);
  const span = { traceId: TRACE_ID, kind: 1, attributes: new Map() };
  const request = {
    resource: new Map([["service.name", "camera"]]),
    scopeName: "",
    spans: [
      { ...span, spanId: "00f067aa0ba902b7", name: "detect", ...times(2n) },
      { ...span, spanId: "00f067aa0ba902b8", name: "capture", ...times(1n) },
    ],
  };
  await store.append({ signal: "traces", body: encodeTracesRequest(request), principal: "" });
  return (await startApi(onTestFinished, { store })).url;
}

function times(start: bigint): { startTimeUnixNs: bigint; endTimeUnixNs: bigint } {
  return { startTimeUnixNs: start, endTimeUnixNs: start + 10n };
}

async function read(url: string): Promise<readonly unknown[]> {
  const response = await fetch(url);
  expect(response.status, url).toBe(200);
  const lines = (await response.text()).trimEnd().split("\n");
  return lines.map((line): unknown => JSON.parse(line));
}

describe("each table has a search of its own", () => {
  test("that gives its entries alone, in the order asked for", async () => {
    const url = await startOverStore();
    const spans = await read(`${url}/api/v1/traces/search?order=oldest`);
    expect(spans).toEqual([
      expect.objectContaining({ name: "capture", duration_ns: 10, trace_id: TRACE_ID }),
      expect.objectContaining({ name: "detect", timestamp: "1970-01-01T00:00:00.000000002Z" }),
      { end: expect.objectContaining({ status: "complete", count: 2 }) as unknown },
    ]);
    const found = await read(`${url}/api/v1/traces/search?query=detect`);
    expect(found).toHaveLength(2);
    expect(await read(`${url}/api/v1/metrics/search`)).toHaveLength(1);
    const [record] = await read(`${url}/api/v1/logs/search`);
    expect(record).toMatchObject({ message: "a log record" });
  });

  test("whose cursor goes on behind a page", async () => {
    const url = await startOverStore();
    const first = await read(`${url}/api/v1/traces/search?order=oldest&limit=1`);
    const { cursor } = z.object({ end: z.object({ cursor: z.string() }) }).parse(first[1]).end;
    const after = `after=${encodeURIComponent(cursor)}`;
    const second = await read(`${url}/api/v1/traces/search?order=oldest&${after}`);
    expect(second[0]).toMatchObject({ name: "detect" });
    expect(second).toHaveLength(2);
  });

  test("with the columns of its entries in CSV, also where nothing matches", async () => {
    const url = await startOverStore();
    const header = async (table: string): Promise<string> => {
      const response = await fetch(`${url}/api/v1/${table}/search?query=nosuch:1&format=csv`);
      return response.text();
    };
    expect(await header("traces")).toMatch(/^timestamp,duration_ns,node,name,.*,resource\r\n$/);
    expect(await header("metrics")).toMatch(/^timestamp,node,name,unit,.*,resource\r\n$/);
  });

  test("and a query, to which the search sends pipes", async () => {
    const url = await startOverStore();
    const pipes = "query=*|count%20by%20node";
    expect((await read(`${url}/api/v1/traces/query?${pipes}`))[0]).toEqual({
      node: "camera",
      count: 2,
    });
    const refused = await refusal(await fetch(`${url}/api/v1/traces/search?${pipes}`));
    expect(refused).toMatchObject({
      code: "REQUEST_INVALID",
      hint: "send it to /api/v1/traces/query",
    });
  });

  test("beside the route of one trace", async () => {
    const url = await startOverStore();
    const response = await fetch(`${url}/api/v1/traces/${TRACE_ID}`);
    expect(await response.json()).toMatchObject({ trace_id: TRACE_ID, status: "complete" });
  });
});
