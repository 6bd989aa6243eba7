import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import type { Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { checkParquet } from "../../src/cli/export-answer.ts";
import { parseQuery } from "../../src/query/parse-query.ts";
import { runCli, runShell, sendLogs, sendPoints, sendSpans, startCli } from "../cli-process.ts";
import { readParquet } from "../read-parquet.ts";
import type { ServeProcess } from "../serve-process.ts";
import { startServe } from "../serve-process.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";

const root = mkdtempSync(join(tmpdir(), "dora-export-"));
const dataDirectory = join(root, "store");
let service: ServeProcess;

beforeAll(async () => {
  service = await startServe({ dataDirectory });
  await sendLogs(service.otlpHttp, [
    log("07.298518123", "größer 😀", { traceId: TRACE_ID }),
    log("06.298518", "first"),
    log("09.000000", "retrying"),
  ]);
  await sendSpans(service.otlpHttp, [
    {
      node: "camera",
      name: "capture",
      traceId: TRACE_ID,
      spanId: "00000000000000c1",
      start: "2025-01-07T20:34:07.000000001Z",
      end: "2025-01-07T20:34:07.000000501Z",
    },
  ]);
  const time = "2025-01-07T20:34:07Z";
  await sendPoints(service.otlpHttp, [{ node: "camera", name: "battery", value: 0.5, time }]);
});
afterAll(async () => {
  await service.close();
  rmSync(root, { recursive: true });
});

function log(second: string, message: string, more: { readonly traceId?: string } = {}) {
  const time = `2025-01-07T20:34:${second}Z`;
  return { time, message, node: "camera", dataflow: "patrol", ...more };
}

/** Exports to a file of that name, and gives its path. */
async function exported(name: string, ...args: readonly string[]): Promise<string> {
  const path = join(root, name);
  const result = await runCli(["export", ...args, "--file", path, "--url", service.api]);
  expect(result).toMatchObject({ code: 0, stdout: "" });
  expect(result.stderr).toMatch(/^wrote [\d,]+ \w+( \w+)? to /);
  return path;
}

describe("dora export", () => {
  test("writes logs as Parquet by the file's name, oldest first, to the nanosecond", async () => {
    const path = await exported("logs.parquet", "dataflow:patrol");
    const sql = "select message, trace_id, time_unix_ns, dataflow from file";
    expect(await readParquet(path, sql)).toEqual([
      row("first", null, "1736282046298518000"),
      row("größer 😀", TRACE_ID, "1736282047298518123"),
      row("retrying", null, "1736282049000000000"),
    ]);
    function row(message: string, trace_id: string | null, time_unix_ns: string): object {
      return { message, trace_id, time_unix_ns, dataflow: "patrol" };
    }
  });

  test("takes what lies between --since and --until", async () => {
    const range = ["--since", "2025-01-07T20:34:07Z", "--until", "2025-01-07T20:34:09Z"];
    const path = await exported("range.parquet", "dataflow:patrol", ...range);
    expect(await readParquet(path, "select message from file")).toEqual([{ message: "größer 😀" }]);
  });

  test("writes spans and data points", async () => {
    const spans = await exported("spans.parquet", "node:camera", "--table", "traces");
    expect(await readParquet(spans, "select name, duration_ns, time_unix_ns from file")).toEqual([
      { name: "capture", duration_ns: "500", time_unix_ns: "1736282047000000001" },
    ]);
    const points = await exported("points.parquet", "--table", "metrics", "--until", "2025-02-01");
    expect(await readParquet(points, "select name, value, kind, sum from file")).toEqual([
      { name: "battery", value: 0.5, kind: "gauge", sum: null },
    ]);
  });

  test.each(["logs", "traces", "metrics"])("writes %s in the other forms too", async (table) => {
    const args = ["export", "* | limit 1", "--table", table, "--url", service.api];
    const { stdout } = await runCli(args);
    const [line = ""] = stdout.split("\n");
    const entry = z.record(z.string(), z.unknown()).parse(JSON.parse(line));
    const csv = await runCli([...args, "--output", "csv"]);
    expect(csv.stdout.split("\r\n")[0]).toBe(Object.keys(entry).join(","));
    const none = [...args.with(1, "nosuch:1"), "--output", "csv"];
    expect((await runCli(none)).stdout).toBe(`${Object.keys(entry).join(",")}\r\n`);
  });

  test("lets pipes count spans", async () => {
    const args = ["* | count by node", "--table", "traces", "--output", "csv"];
    const { stdout } = await runCli(["export", ...args, "--url", service.api]);
    expect(stdout).toBe("node,count\r\ncamera,1\r\n");
  });

  test("writes Parquet into a pipe, and dora logs export does as well", async () => {
    const [path, other] = [join(root, "piped.parquet"), join(root, "piped-logs.parquet")];
    const url = `--url ${service.api} --output parquet`;
    expect(await runShell(`$DORA export dataflow:patrol ${url} > ${path}`)).toMatchObject({
      code: 0,
      stderr: "",
    });
    await runShell(`$DORA logs export --dataflow patrol ${url} > ${other}`);
    const sql = "select count(*) as count from file";
    expect(await readParquet(path, sql)).toEqual([{ count: "3" }]);
    expect(readFileSync(other).equals(readFileSync(path))).toBe(true);
  });

  test("reads a store's folder when no service runs, and gives the same bytes", async () => {
    const folder = join(root, "stopped");
    const other = await startServe({ dataDirectory: folder });
    await sendSpans(other.otlpHttp, [
      {
        node: "lidar",
        name: "scan",
        traceId: TRACE_ID,
        spanId: "00000000000000d1",
        start: "2025-01-07T20:34:07Z",
        end: "2025-01-07T20:34:08Z",
      },
    ]);
    const [online, offline] = [join(root, "online.parquet"), join(root, "offline.parquet")];
    const args = ["export", "--table", "traces", "--file"];
    expect((await runCli([...args, online, "--url", other.api])).code).toBe(0);
    await other.close();
    const { code, stderr } = await runCli([...args, offline, "--data-dir", folder]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: `wrote 1 span to ${offline}\n` });
    expect(readFileSync(offline).equals(readFileSync(online))).toBe(true);
  });
});

describe("what is wrong is refused before anything is asked:", () => {
  test.each([
    [["--table", "trace"], /--table must be one of logs, traces, metrics.*did you mean "traces"/],
    [["--output", "parket"], /--output must be one of .*parquet.*did you mean "parquet"/],
    [["* | count by node", "--output", "parquet"], /"count" makes rows of its own/],
    [["* | sort time | fields node", "--output", "parquet"], /"fields" makes rows of its own/],
    [["--since", "today", "--until", "yesterday"], /no time lies between/],
  ])("%j", async (args, message) => {
    const result = await runCli(["export", ...args, "--url", "http://127.0.0.1:9"]);
    expect(result).toMatchObject({ code: 2, stdout: "" });
    expect(result.stderr).toMatch(message);
    expect(result.stderr).toContain("\nhint: ");
  });

  test("Parquet on a terminal, with what to do instead", () => {
    const query = parseQuery("* | sort time | limit 3");
    const toOutput = { format: "parquet", path: undefined, query } as const;
    expect(() => checkParquet(toOutput, true)).toThrow(/standard output is a terminal/);
    expect(() => checkParquet(toOutput, false)).not.toThrow();
    expect(() => checkParquet({ ...toOutput, path: "a.parquet" }, true)).not.toThrow();
    expect(() => checkParquet({ ...toOutput, format: "csv" }, true)).not.toThrow();
  });
});

/** Log entries as JSON Lines, a thousand of them. */
function linesFrom(start: number): string {
  let lines = "";
  for (let index = start; index < start + 1000; index++) {
    const timestamp = `2025-01-07T20:34:07.${String(index).padStart(9, "0")}Z`;
    const attributes = { frame: index, tags: ["a", "b"], ratio: index / 7 };
    const resource = { "service.name": "camera", "host.name": "robot-3", "process.pid": 4711 };
    const entry = { timestamp, message: `frame ${index} is late`, seq: index };
    lines += `${JSON.stringify({ ...entry, attributes, resource })}\n`;
  }
  return lines;
}

const COMPLETE = `${JSON.stringify({ end: { status: "complete", reasons: [] } })}\n`;
const PARTIAL = `${JSON.stringify({ end: { status: "partial", reasons: ["a damaged block"] } })}\n`;

/** A service that answers each search so. */
async function answering(
  answer: (response: ServerResponse) => Promise<void>,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server: Server = createServer((_request, response) => void answer(response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = z.object({ port: z.number() }).parse(server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Sends so many entries, as fast as they are taken. */
async function sendEntries(response: ServerResponse, count: number): Promise<void> {
  for (let start = 0; start < count; start += 1000) {
    if (!response.write(linesFrom(start))) await once(response, "drain");
  }
}

/** More than a group, so that a part of the file is written. */
const PART_COUNT = 80_000;

describe("a part never looks like the whole:", () => {
  test.each(["SIGINT", "SIGKILL"] as const)("after %s there is no such file", async (signal) => {
    await using stuck = await answering((response) => sendEntries(response, PART_COUNT));
    const directory = mkdtempSync(join(root, "stopped-"));
    const path = join(directory, "logs.parquet");
    const run = startCli(["export", "--file", path, "--url", stuck.url]);
    const written = (): string | undefined =>
      readdirSync(directory).find((name) => statSync(join(directory, name)).size > 1000);
    await vi.waitUntil(() => written() !== undefined, { timeout: 60_000 });
    run.kill(signal);
    const { code } = await run.result;
    expect(existsSync(path)).toBe(false);
    if (signal === "SIGINT") {
      expect({ code, files: readdirSync(directory) }).toEqual({ code: 130, files: [] });
    } else {
      const rest = join(directory, written() ?? "");
      expect(rest).toMatch(/\.partial$/);
      await expect(readParquet(rest, "select * from file")).rejects.toThrow(/magic bytes/);
    }
  });

  test("a broken connection leaves no file, and no end on standard output", async () => {
    await using broken = await answering(async (response) => {
      await sendEntries(response, PART_COUNT);
      response.destroy();
    });
    const path = join(root, "broken.parquet");
    const toFile = await runCli(["export", "--file", path, "--url", broken.url]);
    expect(toFile.code).toBe(1);
    expect(readdirSync(root).filter((name) => name.startsWith("broken"))).toEqual([]);
    const piped = join(root, "cut.parquet");
    const { code } = await runShell(`$DORA export --url ${broken.url} --output parquet > ${piped}`);
    expect(code).toBe(1);
    await expect(readParquet(piped, "select * from file")).rejects.toThrow(/magic bytes|too small/);
  });

  test("a partial answer is kept as FILE.partial, with its reasons, and can be read", async () => {
    await using partial = await answering(async (response) => {
      response.end(linesFrom(0) + PARTIAL);
    });
    const path = join(root, "part.parquet");
    const { code, stderr } = await runCli(["export", "--file", path, "--url", partial.url]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `warning: this answer is partial: a damaged block\nkept 1,000 records as ${path}.partial\n`,
    );
    expect(existsSync(path)).toBe(false);
    const rows = await readParquet(`${path}.partial`, "select count(*) as count from file");
    expect(rows).toEqual([{ count: "1000" }]);
  });
});

test("400,000 records take the memory of one group", { timeout: 120_000 }, async () => {
  const count = 400_000;
  await using many = await answering(async (response) => {
    await sendEntries(response, count);
    response.end(COMPLETE);
  });
  const path = join(root, "many.parquet");
  // All of them would be some 500 MB of objects.
  const heap = "--max-old-space-size=160 --max-semi-space-size=8";
  const report = encodeURIComponent(
    `process.on("exit", () => console.error("peak", process.resourceUsage().maxRSS))`,
  );
  const { code, stderr } = await runCli(["export", "--file", path, "--url", many.url], {
    env: { NODE_OPTIONS: `${heap} --import=data:text/javascript,${report}` },
  });
  expect(code).toBe(0);
  const peakKb = Number(/^peak (\d+)$/m.exec(stderr)?.[1]);
  expect(peakKb).toBeLessThan(400 * 1024);
  const sql = "select count(*) as count, count(distinct seq) as seqs from file";
  expect(await readParquet(path, sql)).toEqual([{ count: "400000", seqs: "400000" }]);
});
