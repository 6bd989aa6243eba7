import { mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import type { Server } from "node:http";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { Random } from "../../bench/random.ts";
import type { CliResult } from "../cli-process.ts";
import { runCli, startCli } from "../cli-process.ts";
import { freeAddresses } from "../free-addresses.ts";
import type { ServeOptions, ServeProcess } from "../serve-process.ts";
import { startServe } from "../serve-process.ts";

const root = mkdtempSync(join(tmpdir(), "dora-canary-"));
afterAll(() => rmSync(root, { recursive: true }));

const Latency = z.object({ p50: z.number(), p99: z.number(), max: z.number() });
const Report = z.object({
  type: z.enum(["interval", "final"]),
  sent: z.number(),
  acknowledged: z.number(),
  refused: z.number(),
  retried: z.number(),
  seen_live: z.number(),
  seen_by_search: z.number(),
  missing: z.number(),
  duplicates: z.number(),
  out_of_order: z.number(),
  not_pushed: z.number(),
  reconnected: z.number(),
  acknowledge_ms: Latency.nullable(),
  acknowledged_to_pushed_ms: Latency.nullable(),
});
type Report = z.infer<typeof Report>;

async function serve(options: Partial<ServeOptions> = {}): Promise<ServeProcess> {
  const service = await startServe({
    dataDirectory: mkdtempSync(join(root, "store-")),
    ...options,
  });
  onTestFinished(async () => void (await service.close()));
  return service;
}

function canaryArgs(endpoint: string, api: string, duration = "forever"): readonly string[] {
  const often = ["--report-interval", "200ms", "--output", "json", "--rate", "500"];
  return ["canary", "--endpoint", endpoint, "--api", api, "--duration", duration, ...often];
}

function reportsOf({ stdout }: Pick<CliResult, "stdout">): readonly Report[] {
  return stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => Report.parse(JSON.parse(line)));
}

function finalOf(result: CliResult): Report {
  const last = reportsOf(result).at(-1);
  if (last?.type !== "final") throw new Error(`no final report: ${result.stdout}${result.stderr}`);
  return last;
}

test("a service that loses nothing: all is pushed and found, and the exit code is 0", async () => {
  const service = await serve();
  const result = await runCli(canaryArgs(service.otlpHttp, service.api, "1s"));
  expect(result).toMatchObject({ code: 0 });
  const final = finalOf(result);
  expect(final).toMatchObject({ refused: 0, missing: 0, duplicates: 0, not_pushed: 0 });
  expect(final).toMatchObject({ out_of_order: 0, retried: 0, reconnected: 0 });
  expect(final.acknowledged).toBeGreaterThan(300);
  expect(final.sent).toBe(final.acknowledged);
  expect(final.seen_by_search).toBe(final.acknowledged);
  expect(final.acknowledge_ms?.p50).toBeGreaterThan(0);
  expect(final.acknowledged_to_pushed_ms?.max).toBeLessThan(5000);
  expect(result.stderr).toContain("nothing that was acknowledged is lost");
  // The intervals add up to the whole.
  const intervals = reportsOf(result).filter(({ type }) => type === "interval");
  expect(intervals.length).toBeGreaterThan(2);
  const sent = intervals.reduce((sum, interval) => sum + interval.sent, 0);
  expect(sent).toBeLessThanOrEqual(final.sent);
});

test("a service that is killed in the middle and comes back: retries, reconnects, loses nothing", async () => {
  const addresses = await freeAddresses(new Random(process.pid));
  const dataDirectory = mkdtempSync(join(root, "store-"));
  const first = await serve({ addresses, dataDirectory });
  const canary = startCli(canaryArgs(first.otlpHttp, first.api));
  onTestFinished(() => canary.kill("SIGKILL"));
  await canary.waitFor(/"seen_live":[1-9]/);
  first.kill("SIGKILL");
  await first.exit;
  await canary.waitFor(/"retried":[1-9]/);
  await serve({ addresses, dataDirectory });
  // After the reconnection, live search goes on.
  await canary.waitFor(/"seen_live":0(.|\n)*"seen_live":[1-9]/);
  canary.kill("SIGINT");
  const result = await canary.result;
  expect(result).toMatchObject({ code: 0 });
  const final = finalOf(result);
  expect(final).toMatchObject({ refused: 0, missing: 0, duplicates: 0, not_pushed: 0 });
  expect(final.retried).toBeGreaterThan(0);
  expect(final.reconnected).toBeGreaterThan(0);
  expect(final.seen_by_search).toBe(final.acknowledged);
  expect(result.stderr).toContain("the same bytes go again");
  expect(result.stderr).toMatch(/answers again, after \d+\.\d s/);
});

/**
 * Stands before a service, acknowledges everything, and does what `pass` says: gives a request on so
 * many times, each time as other bytes, so that the service does not know them as a retry.
 */
async function faultyEndpoint(
  service: ServeProcess,
  pass: (request: number) => number,
): Promise<string> {
  let count = 0;
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.once("end", () => {
      void (async () => {
        const copies = pass(count++);
        for (let copy = 0; copy < copies; copy++) {
          // An unknown field: 15, a number.
          const body = Buffer.concat([...chunks, Buffer.from([15 << 3, copy])]);
          const headers = { "content-type": "application/x-protobuf" };
          await fetch(`${service.otlpHttp}/v1/logs`, { method: "POST", headers, body });
        }
        response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
      })();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${z.object({ port: z.number() }).parse(server.address()).port}`;
}

test("an endpoint that acknowledges and drops is found out, in numbers and words, with exit code 1", async () => {
  const service = await serve();
  const endpoint = await faultyEndpoint(service, (request) => (request === 2 ? 0 : 1));
  const result = await runCli(canaryArgs(endpoint, service.api, "2s"));
  expect(result).toMatchObject({ code: 1 });
  const final = finalOf(result);
  expect(final.missing).toBeGreaterThan(0);
  expect(final.seen_by_search).toBe(final.acknowledged - final.missing);
  expect(final).toMatchObject({ not_pushed: final.missing, duplicates: 0 });
  expect(result.stderr).toMatch(
    /of \d+ acknowledged records: \d+ MISSING, \d+ NOT PUSHED, the first/,
  );
  expect(result.stderr).toContain("hint: keep a copy of the store's folder");
});

test("an endpoint that stores a request twice is found out", async () => {
  const service = await serve();
  const endpoint = await faultyEndpoint(service, (request) => (request === 2 ? 2 : 1));
  const result = await runCli(canaryArgs(endpoint, service.api, "2s"));
  expect(result).toMatchObject({ code: 1 });
  const final = finalOf(result);
  expect(final).toMatchObject({ missing: 0, not_pushed: 0 });
  expect(final.duplicates).toBeGreaterThan(0);
  expect(result.stderr).toMatch(/records: \d+ DOUBLED/);
});

test("a service that never answers, and one that refuses, end with exit code 1 and what to do", async () => {
  const { otlpHttp, api } = await freeAddresses(new Random(process.pid + 1));
  const nobody = await runCli(canaryArgs(otlpHttp, api, "100ms"));
  expect(nobody).toMatchObject({ code: 1 });
  expect(nobody.stderr).toContain(
    "acknowledged nothing\nhint: start the service with `dora serve`",
  );
  const service = await serve();
  // The query API takes no OTLP.
  const wrong = await runCli(canaryArgs(service.api, service.api, "1s"));
  expect(wrong).toMatchObject({ code: 1 });
  expect(wrong.stderr).toContain("/v1/logs answered 404");
});

test.each([
  [["--rate", "0"], "--rate must be a whole number from 1 to 100000"],
  [["--rate", "1.5"], "--rate must be"],
  [["--duration", "soon"], "--duration must be a length of time"],
  [["--report-interval", "1ms"], "--report-interval must be from 100ms to 24d"],
  [["--output", "yaml"], "--output must be one of text, json"],
  [["--endpoint", "ftp://camera"], 'cannot read the endpoint "ftp://camera"'],
])("%j is wrong usage", async (flags, message) => {
  const result = await runCli(["canary", ...flags]);
  expect(result).toMatchObject({ code: 2, stdout: "" });
  expect(result.stderr).toContain(message);
});
