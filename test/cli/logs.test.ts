import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import type { Server } from "node:http";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import type { SentLog } from "../cli-process.ts";
import { runCli, runShell, sendLogs, sendSpans, startCli } from "../cli-process.ts";
import type { ServeProcess } from "../serve-process.ts";
import { startServe } from "../serve-process.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const ERROR = 17;
const WARN = 13;

/** The records of the picture, and some that its filter must leave out. */
const PICTURE: readonly SentLog[] = [
  entry("06.298518", "Node B", "Connection timeout.", ERROR),
  entry("06.500000", "Node B", "an error in a word alone", 9),
  entry("07.298518", "Node C", "Failed to parse input data.", ERROR),
  entry("08.298518", "Node A", "Dependency not found: `tokio`.", ERROR),
  {
    ...entry("08.400000", "Node A", "retrying", WARN),
    traceId: TRACE_ID,
    spanId: "00f067aa0ba902b7",
  },
];

const PICTURE_LINES = [
  "[2025-01-07T20:34:06.298518Z] [ERROR] [Node B] Connection timeout.",
  "[2025-01-07T20:34:07.298518Z] [ERROR] [Node C] Failed to parse input data.",
  "[2025-01-07T20:34:08.298518Z] [ERROR] [Node A] Dependency not found: `tokio`.",
];

/** Far more than are shown by default, all of one older day. */
const MANY_COUNT = 1500;

function entry(second: string, nodeName: string, message: string, severityNumber: number): SentLog {
  const node = nodeName.toLowerCase().replace(" ", "-");
  const time = `2025-01-07T20:34:${second}Z`;
  return { time, node, nodeName, message, severityNumber, dataflow: "picture" };
}

const root = mkdtempSync(join(tmpdir(), "dora-logs-"));
let service: ServeProcess;
let url: readonly string[];

beforeAll(async () => {
  service = await startServe({ dataDirectory: join(root, "store") });
  url = ["--url", service.api];
  await sendLogs(service.otlpHttp, PICTURE);
  const many = Array.from({ length: MANY_COUNT }, (_, index) => ({
    time: `2024-01-01T00:00:00.${String(index).padStart(6, "0")}Z`,
    node: index % 3 === 0 ? "lidar" : "imu",
    message: `sample ${index}`,
    severityNumber: index % 10 === 0 ? WARN : 9,
    dataflow: "many",
  }));
  await sendLogs(service.otlpHttp, many);
});
afterAll(async () => {
  await service.close();
  rmSync(root, { recursive: true });
});

function lines(text: string): string[] {
  return text.split("\n").slice(0, -1);
}

function portOf(server: Server): number {
  return z.object({ port: z.number() }).parse(server.address()).port;
}

async function logs(...args: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await runCli(["logs", ...args, ...url]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return lines(stdout);
}

describe("dora logs", () => {
  test("prints the lines of the picture", async () => {
    expect(await logs("--filter", "error", "--tail", "10")).toEqual(PICTURE_LINES);
  });

  test("filters first, then takes the last that match, oldest first", async () => {
    expect(await logs("--filter", "error", "--tail", "2")).toEqual(PICTURE_LINES.slice(1));
  });

  test("joins all flags with AND", async () => {
    const flags = ["--dataflow", "picture", "--level", "warn", "--since", "2025-01-07"];
    const node = ["--node", "node-a", "--node", "Node B"];
    expect(await logs(...flags, ...node)).toHaveLength(3);
    expect(await logs(...flags, ...node, "--grep", "TIME")).toEqual([PICTURE_LINES[0]]);
    expect(await logs(...flags, "--trace", "4bf92f")).toEqual([
      "[2025-01-07T20:34:08.400000Z] [WARN] [Node A] retrying",
    ]);
    expect(await logs(...flags, "--until", "2025-01-07T20:34:07Z")).toEqual([PICTURE_LINES[0]]);
  });

  test("shows the newest 100 by default, and says which command shows the rest", async () => {
    const args = ["logs", "query", "sample*", "--node", "imu", ...url];
    const { code, stdout, stderr } = await runCli(args);
    expect(code).toBe(0);
    expect(lines(stdout)).toHaveLength(100);
    expect(lines(stdout).at(-1)).toContain("sample 1499");
    const command = /^only the newest 100 are shown; all of them: dora (.+)\n$/.exec(stderr)?.[1];
    const rest = await runShell(`$DORA ${command}`);
    expect(lines(rest.stdout)).toHaveLength(1000);
  });

  test("says nothing of more where there are none", async () => {
    expect(await logs("--node", "imu", "--limit", "1000")).toHaveLength(1000);
    expect(await logs("--dataflow", "picture")).toHaveLength(PICTURE.length);
    expect(await logs("--tail", "0")).toEqual([]);
  });

  test.each([
    ["json", (text: string): unknown => JSON.parse(text)],
    ["jsonl", (text: string): unknown => lines(text).map((line): unknown => JSON.parse(line))],
    ["yaml", (text: string): unknown => parseYaml(text)],
  ])("gives the standard entry as %s", async (format, parse) => {
    const output = await logs("--filter", "error", "--tail", "2", "--output", format);
    const entries = z
      .array(z.record(z.string(), z.unknown()))
      .parse(parse(`${output.join("\n")}\n`));
    expect(entries).toHaveLength(2);
    expect(Object.entries(entries[0]).slice(0, 5)).toEqual([
      ["timestamp", "2025-01-07T20:34:07.298518Z"],
      ["level", "ERROR"],
      ["node", "Node C"],
      ["message", "Failed to parse input data."],
      ["trace_id", ""],
    ]);
  });

  test("gives the standard entry as CSV", async () => {
    const [header, ...rows] = await logs("--filter", "error", "--output", "csv");
    expect(header).toMatch(/^timestamp,level,node,message,trace_id,/);
    expect(rows).toHaveLength(3);
    expect(rows[0]).toMatch(/^2025-01-07T20:34:06\.298518Z,ERROR,Node B,Connection timeout\.,,/);
  });
});

describe("dora logs query", () => {
  test("shows groups as a table", async () => {
    expect(await logs("query", "dataflow:many | count by node, level")).toEqual([
      "+-------+-------+-------+",
      "| node  | level | count |",
      "+-------+-------+-------+",
      "| imu   | INFO  |   900 |",
      "| imu   | WARN  |   100 |",
      "| lidar | INFO  |   450 |",
      "| lidar | WARN  |    50 |",
      "+-------+-------+-------+",
    ]);
  });

  test("gives groups as rows in other formats, all of them", async () => {
    const groups = await logs("query", "sample* | count by message", "--output", "jsonl");
    expect(groups).toHaveLength(MANY_COUNT);
    expect(await logs("query", "sample* | count", "--output", "csv")).toEqual([
      "count\r",
      `${MANY_COUNT}\r`,
    ]);
  });

  test("shows chosen fields as a table, oldest first", async () => {
    const table = await logs("query", "dataflow:picture | fields node, message", "--tail", "2");
    expect(table.slice(3, 5)).toEqual([
      "| Node A | Dependency not found: `tokio`. |",
      "| Node A | retrying                       |",
    ]);
  });

  test("keeps the order that the query asks for", async () => {
    const query = "dataflow:picture | sort message desc | limit 2";
    expect((await logs("query", query)).map((line) => line.slice(30))).toEqual([
      "[WARN] [Node A] retrying",
      "[INFO] [Node B] an error in a word alone",
    ]);
  });
});

describe("what is wrong is refused before anything is asked:", () => {
  const nowhere = ["--url", "http://127.0.0.1:9"];

  test.each([
    [["query", "level>=warm"], 1, /\^[\s\S]*hint: see docs\/query-language\.md/],
    [["--since", "soon"], 1, /cannot read the time "soon"/],
    [["--output", "jsn"], 2, /--output must be one of text, json.*did you mean "json"/],
    [["--tail", "-3"], 2, /--tail must be a whole number/],
    [["--level", "wrn"], 2, /did you mean "warn"/],
    [["--trace", "xyz"], 2, /a trace id is 32 hexadecimal digits/],
    [["query", "* | count", "--tail", "3"], 2, /--tail takes the newest/],
    [["tail", "* | count"], 2, /a live search takes a filter/],
    [["tail", "--until", "now"], 2, /it takes no --until/],
    [["--data-dir", "x"], 2, /--url and --data-dir exclude each other/],
  ])("%j", async (args, code, message) => {
    const result = await runCli(["logs", ...args, ...nowhere]);
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: "" });
    expect(result.stderr).toMatch(message);
    expect(result.stderr).toContain("\nhint: ");
  });

  test("a service that is not there", async () => {
    const { code, stderr } = await runCli(["logs", ...nowhere]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/cannot reach the service at http:\/\/127\.0\.0\.1:9.*\nhint: start it/);
  });

  test("a folder that is not there", async () => {
    const { code, stderr } = await runCli(["logs", "--data-dir", join(root, "missing")]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/there is no folder .*missing\nhint: /);
  });
});

test("what a record holds cannot command the terminal (SEC-009)", async () => {
  const message = "pretty\u001b]52;c;cm0gLXJm\u0007\u001b[2J\u202egpj.exe\r[fake]\nsecond";
  const log = { node: "evil\u001b[31m\nnode", message, dataflow: "hostile" };
  await sendLogs(service.otlpHttp, [{ ...log, time: "2023-01-01T00:00:00Z" }]);
  expect(await logs("--dataflow", "hostile")).toEqual([
    String.raw`[2023-01-01T00:00:00.000000Z] [INFO] [evil\u001b[31m\nnode] pretty\u001b]52;c;cm0gLXJm\u0007\u001b[2J\u202egpj.exe\u000d[fake]`,
    "    second",
  ]);
  const [json = ""] = await logs("--dataflow", "hostile", "--output", "jsonl");
  expect(z.object({ message: z.string() }).parse(JSON.parse(json)).message).toBe(message);
});

describe("dora logs tail", () => {
  test("shows the newest that match, then what comes, until Ctrl-C", async () => {
    const dataflow = "live";
    const sent = (message: string, severityNumber: number): SentLog => ({
      node: "camera",
      message,
      severityNumber,
      dataflow,
    });
    await sendLogs(service.otlpHttp, [sent("before", ERROR), sent("not this one", 9)]);
    const tail = startCli(["logs", "tail", "level>=warn", "--dataflow", dataflow, ...url]);
    await tail.waitFor(/\] \[ERROR\] \[camera\] before\n$/);
    await sendLogs(service.otlpHttp, [sent("nor this", 9), sent("after", WARN)]);
    await tail.waitFor(/\] \[WARN\] \[camera\] after\n$/);
    tail.kill("SIGINT");
    const { code, stdout, stderr } = await tail.result;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(lines(stdout)).toHaveLength(2);
  });

  test.each([
    ["jsonl", /"message":"retrying".*\n$/],
    ["csv", /^timestamp,level,.*\r\n(?:2025-.*\r\n)*2025-.*,retrying,.*\r\n$/],
    ["yaml", /message: "retrying"/],
  ])("writes each record at once as %s", async (format, pattern) => {
    const args = ["logs", "--follow", "--dataflow", "picture", "--output", format, ...url];
    const tail = startCli(args);
    await tail.waitFor(pattern);
    tail.kill("SIGINT");
    expect((await tail.result).code).toBe(0);
  });

  test("as JSON is one whole array, also when it is stopped", async () => {
    const tail = startCli(["logs", "-f", "--dataflow", "picture", "--output", "json", ...url]);
    await tail.waitFor(/retrying/);
    tail.kill("SIGTERM");
    const { stdout } = await tail.result;
    expect(z.array(z.unknown()).parse(JSON.parse(stdout))).toHaveLength(PICTURE.length);
  });

  test("ends by itself after --limit records, and begins at --since", async () => {
    const since = ["--since", "2025-01-07T20:34:07Z", "--limit", "2"];
    expect(await logs("tail", "level>=error", "--dataflow", "picture", ...since)).toEqual(
      PICTURE_LINES.slice(1),
    );
  });

  test("fails when the service goes away", async () => {
    const other = await startServe({ dataDirectory: join(root, "gone") });
    await sendLogs(other.otlpHttp, [{ message: "here", node: "camera" }]);
    const tail = startCli(["logs", "tail", "node:camera", "--url", other.api]);
    await tail.waitFor(/here/);
    other.kill("SIGKILL");
    const { code, stderr } = await tail.result;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^the live search at http:\S+ ended\nhint: /);
  });
});

describe("dora logs export", () => {
  test("writes all records that match, oldest first, to a file that is whole", async () => {
    const file = join(root, "many.csv");
    const { code, stdout, stderr } = await runCli([
      "logs",
      "export",
      "dataflow:many",
      "--file",
      file,
      ...url,
    ]);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "",
      stderr: `wrote 1,500 records to ${file}\n`,
    });
    const rows = readFileSync(file, "utf8").split("\r\n");
    expect(rows).toHaveLength(MANY_COUNT + 2);
    expect(rows[1]).toContain("sample 0,");
    expect(rows.at(-2)).toContain("sample 1499,");
    expect(readdirSync(root).filter((name) => name.includes("partial"))).toEqual([]);
  });

  test("takes the newest with --tail, still oldest first", async () => {
    const entries = await logs("export", "dataflow:many", "--tail", "2");
    expect(entries.map((line) => /sample \d+/.exec(line)?.[0])).toEqual([
      "sample 1498",
      "sample 1499",
    ]);
  });

  test("guards a spreadsheet against formulas (SEC-011)", async () => {
    const message = "=HYPERLINK(1)";
    await sendLogs(service.otlpHttp, [{ message, dataflow: "formula" }]);
    const [, row] = await logs("export", "dataflow:formula", "--output", "csv");
    expect(row).toContain(",'=HYPERLINK(1),");
  });

  test("ends quietly when its reader has enough", async () => {
    const result = await runShell(`$DORA logs export '*' --url ${service.api} | head -n 1`);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(lines(result.stdout)).toHaveLength(1);
  });

  describe("never lets a part look like the whole:", () => {
    /** A service that answers each search with this, then closes or breaks the connection. */
    async function answering(
      body: string,
      isCut: boolean,
    ): Promise<AsyncDisposable & { url: string }> {
      const server = createServer((_request, response) => {
        response.write(body, () => (isCut ? response.destroy() : response.end()));
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const port = portOf(server);
      return {
        url: `http://127.0.0.1:${port}`,
        [Symbol.asyncDispose]: async () => {
          server.close();
          server.closeAllConnections();
        },
      };
    }

    const line = `${JSON.stringify({ message: "first" })}\n`;

    test("a broken connection leaves no file, and exit code 1", async () => {
      await using broken = await answering(line + line, true);
      const file = join(root, "broken.jsonl");
      const result = await runCli(["logs", "export", "--file", file, "--url", broken.url]);
      expect(result.code).toBe(1);
      expect(result.stderr).toMatch(/broke its answer off|broken off/);
      expect(readdirSync(root).filter((name) => name.startsWith("broken"))).toEqual([]);
    });

    test("a partial answer is kept under another name, with its reasons, and exit code 1", async () => {
      const end = { end: { status: "partial", reasons: ["30 s are over"] } };
      await using partial = await answering(`${line}${JSON.stringify(end)}\n`, false);
      const file = join(root, "part.jsonl");
      const result = await runCli(["logs", "export", "--file", file, "--url", partial.url]);
      expect(result.code).toBe(1);
      expect(result.stderr).toContain("warning: this answer is partial: 30 s are over\n");
      expect(existsSync(file)).toBe(false);
      expect(readFileSync(`${file}.partial`, "utf8")).toBe(line);
    });

    test("a partial answer to a query is said, and is none of its failures", async () => {
      const end = { end: { status: "partial", reasons: ["a damaged block"] } };
      await using partial = await answering(`${line}${JSON.stringify(end)}\n`, false);
      const { code, stdout, stderr } = await runCli(["logs", "--url", partial.url]);
      expect({ code, lines: lines(stdout).length }).toEqual({ code: 0, lines: 1 });
      expect(stderr).toBe("warning: this answer is partial: a damaged block\n");
    });

    test("Ctrl-C takes the unfinished file away and exits with 130", async () => {
      const server = createServer((_request, response) => void response.write(line));
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const port = portOf(server);
      const file = join(root, "stopped.jsonl");
      const address = `http://127.0.0.1:${port}`;
      const run = startCli(["logs", "export", "--file", file, "--url", address]);
      await once(server, "request");
      run.kill("SIGINT");
      expect((await run.result).code).toBe(130);
      expect(readdirSync(root).filter((name) => name.startsWith("stopped"))).toEqual([]);
      server.closeAllConnections();
      server.close();
    });
  });
});

describe("a service with tokens", () => {
  test("answers who has one, and tells others what to set", async () => {
    const token = "correct-horse-battery";
    const tokenFile = join(root, "tokens");
    writeFileSync(tokenFile, `# the operator's\nops: ${token}\n`);
    const closed = await startServe({
      dataDirectory: join(root, "closed"),
      args: ["--token-file", tokenFile],
    });
    const refused = await runCli(["logs", "--url", closed.api]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("hint: set DORA_TOKEN_FILE");
    const refusedLive = await runCli(["logs", "tail", "--url", closed.api]);
    expect(refusedLive.code).toBe(1);
    expect(refusedLive.stderr).toContain("hint: set DORA_TOKEN_FILE");
    const byFlag = await runCli(["logs", "--url", closed.api, "--token-file", tokenFile]);
    expect(byFlag).toMatchObject({ code: 0, stderr: "" });
    const env = { DORA_TOKEN_FILE: tokenFile, DORA_URL: closed.api };
    expect(await runCli(["logs"], { env })).toMatchObject({ code: 0, stderr: "" });
    await closed.close();
  });
});

describe("a store's folder", () => {
  test("is answered by the service that has it open, and read when none has", async () => {
    const dataDirectory = join(root, "folder");
    const running = await startServe({ dataDirectory });
    await sendLogs(running.otlpHttp, PICTURE);
    const args = ["logs", "--filter", "error", "--data-dir", dataDirectory];
    const online = await runCli(args);
    expect(online).toMatchObject({ code: 0, stdout: `${PICTURE_LINES.join("\n")}\n` });
    expect(online.stderr).toBe(
      `a service has ${dataDirectory} open: asking it at ${running.api}\n`,
    );
    await running.close();
    expect(await runCli(args)).toEqual({ code: 0, stdout: online.stdout, stderr: "" });
    const tail = await runCli(["logs", "tail", "level>=error", "--data-dir", dataDirectory]);
    expect(tail).toMatchObject({ code: 1, stdout: online.stdout });
    expect(tail.stderr).toContain("nothing to follow");
    const count = await runCli(["logs", "query", "* | count by node", "--data-dir", dataDirectory]);
    expect(count.stdout).toMatch(/^\| Node A +\| +2 \|$/m);
  });
});

describe("dora trace show", () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const at = (second: string): string => `2025-01-07T20:34:${second}Z`;

  beforeAll(async () => {
    await sendSpans(service.otlpHttp, [
      span("camera", "capture", { spanId: "00000000000000c1", times: ["00.0", "00.1284"] }),
      span("detector", "detect", {
        spanId: "00000000000000d1",
        parentSpanId: "00000000000000c1",
        times: ["00.001", "00.0991"],
        error: "timed out",
      }),
      span("planner", "plan", {
        spanId: "00000000000000e1",
        parentSpanId: "00000000000000ff",
        times: ["00.02", "00.0232"],
      }),
    ]);
    await sendLogs(service.otlpHttp, [
      {
        node: "detector",
        message: "Inference timed out.",
        severityNumber: ERROR,
        time: at("00.0121"),
        traceId,
        spanId: "00000000000000d1",
      },
    ]);
  });

  function span(
    node: string,
    name: string,
    of: {
      readonly spanId: string;
      readonly parentSpanId?: string;
      readonly times: readonly [string, string];
      readonly error?: string;
    },
  ): Parameters<typeof sendSpans>[1][number] {
    const { times, ...rest } = of;
    return { node, name, traceId, start: at(times[0]), end: at(times[1]), ...rest };
  }

  const shown = [
    `Trace ${traceId}`,
    "from 2025-01-07T20:34:00.000000Z, 128.4 ms: 3 spans of 3 nodes, 1 log record",
    "1 span stands at the top because its parent is not stored",
    "",
    "    +0.0 ms  [camera] capture 128.4 ms",
    "    +1.0 ms  └─ [detector] detect 98.1 ms ❌ timed out",
    "   +12.1 ms     └─ [ERROR] [detector] Inference timed out.",
    "   +20.0 ms  [planner] plan 3.2 ms",
  ];

  test("shows the tree of spans with the logs between them", async () => {
    const { code, stdout } = await runCli(["trace", "show", traceId, ...url]);
    expect({ code, lines: lines(stdout) }).toEqual({ code: 0, lines: shown });
  });

  test("takes the start of an id, where it is of one trace", async () => {
    const { stdout } = await runCli(["trace", "show", "0AF765", ...url]);
    expect(lines(stdout)).toEqual(shown);
    const none = await runCli(["trace", "show", "ffff", ...url]);
    expect(none).toMatchObject({ code: 1, stdout: "" });
    expect(none.stderr).toContain("no log record has a trace id that starts with ffff");
  });

  test("names the traces where the start is of several", async () => {
    const ids = ["aa01", "aa02"].map((start) => start.padEnd(32, "0"));
    await sendLogs(
      service.otlpHttp,
      ids.map((id) => ({ message: "x", traceId: id, spanId: "00000000000000aa" })),
    );
    const { code, stderr } = await runCli(["trace", "show", "aa0", ...url]);
    expect(code).toBe(2);
    for (const id of ids) expect(stderr).toContain(id);
  });

  test("gives the same tree as JSON and YAML", async () => {
    const json = await runCli(["trace", "show", traceId, "--output", "json", ...url]);
    const yaml = await runCli(["trace", "show", traceId, "--output", "yaml", ...url]);
    const tree: unknown = JSON.parse(json.stdout);
    expect(tree).toMatchObject({ trace_id: traceId, missing_parents: 1, status: "complete" });
    expect(parseYaml(yaml.stdout)).toEqual([tree]);
  });

  test("an id that is not stored is not found", async () => {
    const { code, stderr } = await runCli(["trace", "show", "ab".repeat(16), ...url]);
    expect(code).toBe(1);
    expect(stderr).toContain("hint: check the id");
  });
});
