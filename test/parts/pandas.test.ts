/** pandas and pyarrow read what `dora export` writes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { findPart } from "../../scripts/parts/part.ts";
import { runCli, sendLogs, sendPoints, sendSpans } from "../cli-process.ts";
import { type ServeProcess, startServe } from "../serve-process.ts";
import { runProgram } from "./part-process.ts";

const READER = fileURLToPath(new URL("read_parquet.py", import.meta.url));
const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const pandas = findPart("pandas");

const Answer = z.looseObject({
  schema: z.record(z.string(), z.string()),
  dtypes: z.record(z.string(), z.string()),
});

describe.skipIf(pandas.path === undefined)(`pandas (${pandas.hint})`, () => {
  const directory = mkdtempSync(join(tmpdir(), "dora-pandas-"));
  let service: ServeProcess;

  beforeAll(async () => {
    service = await startServe({ dataDirectory: join(directory, "store") });
  });
  afterAll(async () => {
    await service.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function exported(table: string, query: string): Promise<string> {
    const path = join(directory, `${table}.parquet`);
    const args = ["export", query, "--table", table, "--file", path, "--url", service.api];
    expect((await runCli(args)).code).toBe(0);
    return path;
  }

  test("reads logs, spans and data points with their types, to the nanosecond", async () => {
    const node = "camera";
    await sendLogs(service.otlpHttp, [
      { node, message: "first", time: "2025-01-07T20:34:06.298518Z" },
      {
        node,
        message: "größer 😀",
        time: "2025-01-07T20:34:07.298518123Z",
        traceId: TRACE_ID,
        attributes: { "peer.name": "ü" },
      },
    ]);
    const [start, end] = ["2025-01-07T20:34:07.000000001Z", "2025-01-07T20:34:07.000000502Z"];
    const spanId = "00000000000000c1";
    await sendSpans(service.otlpHttp, [
      { node, name: "capture", traceId: TRACE_ID, spanId, start, end },
    ]);
    await sendPoints(service.otlpHttp, [{ node, name: "battery", value: 0.5, time: start }]);

    const files = [
      await exported("logs", "node:camera"),
      await exported("traces", "node:camera"),
      await exported("metrics", "node:camera"),
    ];
    const output = await runProgram(pandas.path ?? "", [READER, ...files]);
    const { schema, dtypes, ...read } = Answer.parse(JSON.parse(output));
    expect(schema).toMatchObject({
      timestamp: "timestamp[ns, tz=UTC]",
      observed_timestamp: "timestamp[ns, tz=UTC]",
      time_unix_ns: "int64",
      seq: "int64",
      severity_number: "int32",
      message: "string",
      attributes: "string",
    });
    expect(dtypes).toMatchObject({ timestamp: "datetime64[ns, UTC]", seq: "int64" });
    expect(read).toEqual({
      rowCount: 2,
      groupCount: 1,
      timesUnixNs: ["1736282046298518000", "1736282047298518123"],
      hasSameTimes: true,
      messages: ["first", "größer 😀"],
      traceIds: [null, TRACE_ID],
      attributes: [{}, { "peer.name": "ü" }],
      late: ["größer 😀"],
      spanNs: [501],
      durations: [501],
      values: [0.5],
      counts: [null],
    });
  });
});
