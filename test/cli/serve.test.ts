import { createServer, connect } from "node:net";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { tmpdir } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { join } from "node:path";
import { once } from "node:events";
import { generate } from "selfsigned";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { ServeOptions } from "../serve-process.ts";
import { ServeFailedError, startServe } from "../serve-process.ts";

const root = mkdtempSync(join(tmpdir(), "dora-serve-"));
afterAll(() => rmSync(root, { recursive: true }));
let count = 0;
const freshDirectory = () => join(root, `store-${count++}`);

function logsRequest(message: string, serviceName = "camera"): string {
  const attributes = [{ key: "service.name", value: { stringValue: serviceName } }];
  const logRecords = [{ severityNumber: 17, body: { stringValue: message } }];
  return JSON.stringify({
    resourceLogs: [{ resource: { attributes }, scopeLogs: [{ logRecords }] }],
  });
}

function post(url: string, body: string): Promise<Response> {
  return fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
}

/** The messages of the records that match, oldest first. */
async function messages(api: string, query: string): Promise<string[]> {
  const parameters = new URLSearchParams({ query, order: "oldest" });
  const response = await fetch(`${api}/api/v1/logs/search?${parameters.toString()}`);
  const lines = (await response.text()).trimEnd().split("\n").slice(0, -1);
  return lines.map((line) => z.object({ message: z.string() }).parse(JSON.parse(line)).message);
}

/** How a start that must fail ends. */
async function failure(options: ServeOptions): Promise<ServeFailedError> {
  try {
    await using service = await startServe(options);
    throw new Error(`it started: ${service.firstLine}`);
  } catch (error) {
    if (error instanceof ServeFailedError) return error;
    throw error;
  }
}

describe("dora serve", () => {
  test("takes a record, answers queries with it, and stops with code 0 within 5 s (PIPE-014)", async () => {
    const dataDirectory = freshDirectory();
    await using service = await startServe({ dataDirectory });
    expect(service.stdout()).toBe(
      `dora listens: OTLP/gRPC ${service.otlpGrpc}, OTLP/HTTP ${service.otlpHttp.slice(7)}, query API ${service.api}, data in ${dataDirectory}\n`,
    );
    const response = await post(`${service.otlpHttp}/v1/logs`, logsRequest("Connection timeout"));
    expect(response.status).toBe(200);
    expect(await messages(service.api, "level:error")).toEqual(["Connection timeout"]);
    expect(JSON.parse(readFileSync(join(dataDirectory, "service.json"), "utf8"))).toEqual({
      pid: service.pid,
      api: service.api,
    });

    const beganMs = performance.now();
    expect(await service.close()).toEqual({ code: 0, signal: null });
    expect(performance.now() - beganMs).toBeLessThan(5000);
    expect(existsSync(join(dataDirectory, "service.json"))).toBe(false);
  });

  test("what it acknowledged under load before SIGTERM is there after the next start (PIPE-014)", async () => {
    const dataDirectory = freshDirectory();
    const service = await startServe({ dataDirectory });
    const acknowledged: string[] = [];
    const send = async (sender: number) => {
      for (let index = 0; ; index++) {
        const message = `sent ${sender} ${index}`;
        try {
          const response = await post(`${service.otlpHttp}/v1/logs`, logsRequest(message));
          if (response.status !== 200) return;
        } catch {
          return;
        }
        acknowledged.push(message);
        if (acknowledged.length === 200) service.kill("SIGTERM");
      }
    };
    await Promise.all([0, 1, 2, 3].map(send));
    expect(await service.exit).toEqual({ code: 0, signal: null });

    await using next = await startServe({ dataDirectory });
    const stored = new Set(await messages(next.api, "node:camera"));
    expect(acknowledged.length).toBeGreaterThanOrEqual(200);
    expect(acknowledged.filter((message) => !stored.has(message))).toEqual([]);
  });

  test("a request that had begun before SIGTERM is stored and answered (PIPE-014)", async () => {
    const dataDirectory = freshDirectory();
    const service = await startServe({ dataDirectory });
    const body = logsRequest("begun before");
    const request = await beginRequest(service.otlpHttp, body.length);
    service.kill("SIGTERM");
    await until(() => service.stderr().includes("service stops"));
    request.socket.write(body);
    await until(() => request.received().includes("200 OK"));
    expect(await service.exit).toEqual({ code: 0, signal: null });

    await using next = await startServe({ dataDirectory });
    expect(await messages(next.api, "node:camera")).toEqual(["begun before"]);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("a second %s ends it at once, with code %i", async (signal, code) => {
    const service = await startServe({ dataDirectory: freshDirectory() });
    // A request that never ends holds the first stop back.
    const { socket } = await beginRequest(service.otlpHttp, 9);
    service.kill(signal);
    await until(() => service.stderr().includes("service stops"));
    service.kill(signal);
    expect(await service.exit).toEqual({ code, signal: null });
    socket.destroy();
  });

  test("its own log goes to standard error and into the store, as the node dora-serve", async () => {
    await using service = await startServe({
      dataDirectory: freshDirectory(),
      env: { OTEL_RESOURCE_ATTRIBUTES: "bad" },
    });
    await untilAsync(async () => (await messages(service.api, "node:dora-serve")).length === 2);
    expect(await messages(service.api, "node:dora-serve")).toEqual([
      "a setting is ignored",
      "service started",
    ]);
    const lines = service.stderr().trimEnd().split("\n");
    expect(JSON.parse(lines[1] ?? "")).toMatchObject({
      level: "INFO",
      node: "dora-serve",
      message: "service started",
      attributes: { directory: service.dataDirectory },
    });
  });

  test("the metrics keep the law, and speak both formats (PRM-001)", async () => {
    await using service = await startServe({ dataDirectory: freshDirectory() });
    await post(`${service.otlpHttp}/v1/logs`, logsRequest("once"));
    await post(`${service.otlpHttp}/v1/logs`, logsRequest("once"));
    const open = await fetch(`${service.api}/metrics`, {
      headers: { accept: "application/openmetrics-text;version=1.0.0" },
    });
    expect(open.headers.get("content-type")).toContain("application/openmetrics-text");
    expect(await open.text()).toMatch(/# EOF\n$/);
    const text = await (await fetch(`${service.api}/metrics`)).text();
    const value = (name: string) =>
      Number(new RegExp(`^${name}(?:_total)?\\{signal="logs"\\} (\\d+)$`, "m").exec(text)?.[1]);
    const fates = ["stored", "rejected", "filtered", "deduplicated", "dropped", "pending"];
    const sum = fates.reduce((total, fate) => total + value(`dora_records_${fate}`), 0);
    expect(value("dora_records_received")).toBeGreaterThanOrEqual(2);
    expect(sum).toBe(value("dora_records_received"));
    expect(value("dora_records_deduplicated")).toBe(1);
    expect(text).toContain('dora_requests_total{transport="http",outcome="stored"} 2\n');
  });

  test("a signal that no pipeline takes is refused, others are stored (PIPE-001)", async () => {
    const config = join(root, "logs-only.yaml");
    writeFileSync(
      config,
      "service: { pipelines: { logs: { receivers: [otlp], exporters: [log_store] } } }",
    );
    await using service = await startServe({
      dataDirectory: freshDirectory(),
      args: ["--config", config],
    });
    const traces = await post(`${service.otlpHttp}/v1/traces`, '{"resourceSpans":[]}');
    expect(traces.status).toBe(400);
    expect(await traces.text()).toContain("no pipeline takes traces");
    expect((await post(`${service.otlpHttp}/v1/logs`, logsRequest("x"))).status).toBe(200);
  });

  test("with a token and TLS it listens beyond this machine, and refuses who has no token (SEC-001, SEC-002)", async () => {
    const pem = await generate([{ name: "commonName", value: "localhost" }], { keySize: 2048 });
    const files = {
      cert: join(root, "cert.pem"),
      key: join(root, "key.pem"),
      token: join(root, "tokens"),
    };
    writeFileSync(files.cert, pem.cert);
    writeFileSync(files.key, pem.private);
    writeFileSync(files.token, "robots: s3cret\n");
    await using service = await startServe({
      dataDirectory: freshDirectory(),
      addresses: { otlpGrpc: "127.0.0.1:0", otlpHttp: "0.0.0.0:0", api: "127.0.0.1:0" },
      args: ["--tls-cert", files.cert, "--tls-key", files.key, "--token-file", files.token],
    });
    expect(service.firstLine).toContain("OTLP/HTTP https://0.0.0.0:");
    const otlp = `${service.otlpHttp.replace("0.0.0.0", "127.0.0.1")}/v1/logs`;
    const status = (url: string, method: string, token?: string) =>
      secureStatus(url, { method, ca: pem.cert, ...(token === undefined ? {} : { token }) });
    expect(await status(otlp, "POST")).toBe(401);
    expect(await status(otlp, "POST", "wrong")).toBe(401);
    expect(await status(otlp, "POST", "s3cret")).toBe(200);
    expect(await status(`${service.api}/api/v1/status`, "GET")).toBe(401);
    expect(await status(`${service.api}/api/v1/status`, "GET", "s3cret")).toBe(200);
  });
});

describe("dora serve does not start", () => {
  test("where a port is taken: it says which, and how to take another", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const address = holder.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const addresses = {
      otlpGrpc: "127.0.0.1:0",
      otlpHttp: `127.0.0.1:${port}`,
      api: "127.0.0.1:0",
    };
    const dataDirectory = freshDirectory();
    const { exit, stderr } = await failure({ dataDirectory, addresses });
    holder.close();
    expect(exit.code).toBe(1);
    expect(stderr).toBe(
      `cannot listen on 127.0.0.1:${port}: the address is in use\nhint: stop what listens there, or give another address with --otlp-grpc, --otlp-http or --api\n`,
    );
    expect(existsSync(join(dataDirectory, "service.json"))).toBe(false);
  });

  test("where another service has the store open", async () => {
    await using service = await startServe({ dataDirectory: freshDirectory() });
    const { exit, stderr } = await failure({ dataDirectory: service.dataDirectory });
    expect(exit.code).toBe(1);
    expect(stderr).toContain(`the store in ${service.dataDirectory} is in use`);
    expect(stderr).toMatch(/\nhint: .*stop it first\n$/);
    expect(await messages(service.api, "level:error")).toEqual([]);
  });

  test("where the folder cannot be made", async () => {
    const file = join(root, "a-file");
    writeFileSync(file, "");
    const { exit, stderr } = await failure({ dataDirectory: join(file, "store") });
    expect(exit.code).toBe(1);
    expect(stderr).toContain(join(file, "store"));
    expect(stderr).toMatch(/\nhint: check the folder's permissions and the free space\n$/);
  });

  test("where it would listen beyond this machine unprotected, unless a flag allows it (SEC-001)", async () => {
    const addresses = { otlpGrpc: "127.0.0.1:0", otlpHttp: "0.0.0.0:0", api: "127.0.0.1:0" };
    const dataDirectory = freshDirectory();
    const { exit, stderr } = await failure({ dataDirectory, addresses });
    expect(exit.code).toBe(1);
    expect(stderr).toMatch(/^OTLP\/HTTP would listen on 0\.0\.0\.0:0.*\nhint: add a token and TLS/);
    expect(existsSync(dataDirectory)).toBe(false);
    const args = ["--insecure-listen"];
    await using service = await startServe({ dataDirectory, addresses, args });
    expect(service.firstLine).toContain("OTLP/HTTP 0.0.0.0:");
  });

  test.each([
    ["a configuration file", ["--config", "/missing/dora.yaml"]],
    ["a token file", ["--token-file", "/missing/tokens"]],
    ["a certificate", ["--tls-cert", "/missing/cert.pem", "--tls-key", "/missing/key.pem"]],
  ])("where %s cannot be read", async (_what, args) => {
    const { exit, stderr } = await failure({ dataDirectory: freshDirectory(), args });
    expect(exit.code).toBe(1);
    expect(stderr).toContain(`${args[1]}: ENOENT`);
    expect(stderr).toMatch(/\nhint: /);
  });
});

/** A request of which the headers are sent and the service has begun to read the body. */
async function beginRequest(url: string, bodyBytes: number) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let received = "";
  socket.setEncoding("utf8").on("data", (text: string) => (received += text));
  socket.on("error", () => {});
  const headers = `host: x\r\ncontent-type: application/json\r\ncontent-length: ${bodyBytes}\r\n`;
  socket.write(`POST /v1/logs HTTP/1.1\r\n${headers}expect: 100-continue\r\n\r\n`);
  await until(() => received.includes("100 Continue"));
  return { socket, received: () => received };
}

/** Waits for what a running process will do; the test's own timeout ends it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(10);
}

async function untilAsync(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(10);
}

function secureStatus(
  url: string,
  options: { readonly method: string; readonly ca: string; readonly token?: string },
): Promise<number> {
  const { method, ca, token } = options;
  const headers = {
    "content-type": "application/json",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return new Promise((resolve, reject) => {
    const request = https.request(
      url,
      { method, ca, headers, checkServerIdentity: () => undefined, agent: false },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    request.on("error", reject);
    request.end(method === "POST" ? "{}" : undefined);
  });
}
