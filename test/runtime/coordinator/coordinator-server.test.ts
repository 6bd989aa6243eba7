import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { TokenAuthenticator } from "../../../src/collector/authentication.ts";
import type { TestCoordinator } from "./coordinator-harness.ts";
import { CoordinatorServer } from "../../../src/runtime/coordinator/coordinator-server.ts";
import { COORDINATOR_LIMITS } from "../../../src/runtime/coordinator/limits.ts";
import { silentLogger } from "../../../src/telemetry/logger.ts";
import { startCoordinator, temporaryFolder } from "./coordinator-harness.ts";
import { dataflowStatus, TestDaemon } from "./test-daemon.ts";

const open: { close(): Promise<void> }[] = [];

async function start(
  options: Parameters<typeof startCoordinator>[1] = {},
): Promise<TestCoordinator> {
  const coordinator = await startCoordinator(temporaryFolder().path, options);
  open.push(coordinator);
  return coordinator;
}

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** A request whose headers `fetch` would not send. */
function rawStatus(
  url: string,
  headers: Readonly<Record<string, string>>,
  method = "GET",
): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on("error", reject);
    sent.end(method === "POST" ? "{}" : undefined);
  });
}

/** The status by which a WebSocket is refused; 101 where it is not. */
async function upgradeStatus(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  const socket = new WebSocket(`${url.replace("http", "ws")}${path}`, { headers: { ...headers } });
  const { promise, resolve } = Promise.withResolvers<number>();
  socket.on("unexpected-response", (_, response) => resolve(response.statusCode ?? 0));
  socket.on("open", () => resolve(101));
  socket.on("error", () => {});
  const status = await promise;
  socket.terminate();
  return status;
}

describe("who may ask", () => {
  const JSON_TYPE = { "content-type": "application/json" };

  test("a page of another origin, and a name that was made to point here, are refused", async () => {
    const { url } = await start();
    const path = `${url}/api/v1/dataflows`;
    const port = new URL(url).port;
    expect(await rawStatus(path, { ...JSON_TYPE, origin: "http://evil.example" }, "POST")).toBe(
      403,
    );
    expect(
      await rawStatus(path, {
        host: `evil.example:${port}`,
        origin: `http://evil.example:${port}`,
      }),
    ).toBe(403);
    expect(await rawStatus(path, { host: `evil.example:${port}` })).toBe(403);
    for (const name of ["localhost", "127.0.0.1", "[::1]"]) {
      expect(await rawStatus(path, { host: `${name}:${port}` }), name).toBe(200);
    }
    const headers = { origin: "http://evil.example" };
    expect(await upgradeStatus(url, "/api/v1/events", headers)).toBe(403);
    expect(await upgradeStatus(url, "/api/v1/daemon", { origin: url })).toBe(403);
    expect(await upgradeStatus(url, "/api/v1/other")).toBe(404);
    expect(await upgradeStatus(url, "/api/v1/events")).toBe(101);
  });

  test("what a page can post without asking is not taken", async () => {
    const { url } = await start();
    const path = `${url}/api/v1/dataflows`;
    expect(await rawStatus(path, { "content-type": "text/plain" }, "POST")).toBe(415);
    expect(
      await rawStatus(path, { "content-type": "application/x-www-form-urlencoded" }, "POST"),
    ).toBe(415);
  });

  test("with a token all but the health asks for it, the WebSockets too", async () => {
    const authenticator = new TokenAuthenticator([{ token: "right" }]);
    const { url } = await start({ authenticator });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    for (const path of ["/api/v1/dataflows", "/api/v1/daemons", "/openapi.json"]) {
      const refused = await fetch(`${url}${path}`);
      expect(refused.status, path).toBe(401);
      expect(refused.headers.get("www-authenticate")).toBe("Bearer");
      const headers = { authorization: "Bearer right" };
      expect((await fetch(`${url}${path}`, { headers })).status, path).toBe(200);
    }
    for (const path of ["/api/v1/events", "/api/v1/daemon"]) {
      expect(await upgradeStatus(url, path), path).toBe(401);
      expect(await upgradeStatus(url, path, { authorization: "Bearer right" }), path).toBe(101);
    }
  });
});

describe("requests", () => {
  test("an unknown parameter is answered with the nearest, a wrong one with its place", async () => {
    const { post } = await start();
    const body = { text: "", file: "/f.yml" };
    const unknown = await post("/api/v1/dataflows", { ...body, buid: true });
    expect(unknown.body.error.message).toContain('unknown parameter "buid", did you mean "build"?');
    const wrong = await post("/api/v1/dataflows/x/stop", { grace_ms: "1" });
    expect(wrong.body.error.message).toMatch(/^parameter "grace_ms": /);
    const list = await post("/api/v1/dataflows", []);
    expect([list.status, list.body.error.code]).toEqual([400, "REQUEST_INVALID"]);
    expect((await post("/api/v1/dataflows", "{")).status).toBe(400);
  });

  test("a body beyond the limit is refused", async () => {
    const { post } = await start();
    const { status } = await post("/api/v1/dataflows", { text: "x".repeat(4 * 1024 * 1024) });
    expect(status).toBe(413);
  });

  test("what is not served is answered with where to look", async () => {
    const { get } = await start();
    const { status, body } = await get("/api/v1/dataflow");
    expect([status, body.error.code]).toEqual([404, "NOT_FOUND"]);
    expect(body.error.hint).toContain("openapi.json");
  });
});

describe("the OpenAPI document", () => {
  const Document = z.object({
    paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  });

  test("it has every route, its parameters and the names of keys that are sent", async () => {
    const { url, server } = await start();
    const document = Document.parse(await (await fetch(`${url}/openapi.json`)).json());
    const paths = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const served = server.routes.map((route) => route.replaceAll(/:(\w+)/g, "{$1}"));
    const hidden = new Set(["GET /openapi.json", "GET /api/v1/events", "GET /api/v1/daemon"]);
    expect(paths.toSorted()).toEqual(served.filter((route) => !hidden.has(route)).toSorted());
    const stop = document.paths["/api/v1/dataflows/{dataflow}/stop"]?.["post"];
    expect(stop).toMatchObject({
      parameters: [{ name: "dataflow", in: "path", required: true }],
      requestBody: {
        content: {
          "application/json": {
            schema: {
              properties: { grace_ms: { maximum: 86_400_000 }, force: { type: "boolean" } },
            },
          },
        },
      },
    });
    expect(JSON.stringify(document)).toContain('"latency_p50_ns"');
    expect(JSON.stringify(document)).not.toContain("latencyP50Ns");
  });

  test("docs/coordinator-api.md names every route, and no other", async () => {
    const { server } = await start();
    const docs = readFileSync(new URL("../../../docs/coordinator-api.md", import.meta.url), "utf8");
    const named = [...docs.matchAll(/^\| `(GET|POST) (\/\S*)` \|/gm)].map(
      ([, method, path]) => `${method} ${path}`,
    );
    const served = server.routes.map((route) => route.replaceAll(/:(\w+)/g, "{$1}"));
    expect(named.toSorted()).toEqual([...served].toSorted());
  });
});

describe("events", () => {
  const Frame = z.object({
    type: z.string(),
    dataflows: z.array(z.looseObject({ name: z.string() })).optional(),
    event: z.looseObject({}).optional(),
    version: z.string().optional(),
  });
  type Frame = z.output<typeof Frame>;

  async function follow(
    url: string,
  ): Promise<{ readonly socket: WebSocket; readonly frames: Frame[] }> {
    const socket = new WebSocket(`${url.replace("http", "ws")}/api/v1/events`);
    const frames: Frame[] = [];
    socket.on("message", (data: Buffer) => {
      frames.push(Frame.parse(JSON.parse(data.toString())));
    });
    await once(socket, "open");
    open.unshift({
      close: async () => {
        socket.terminate();
      },
    });
    return { socket, frames };
  }

  test("a reader is welcomed, told what runs again and again, and each event as it happens", async () => {
    const { url } = await start();
    const { frames } = await follow(url);
    const daemon = await TestDaemon.connect(url, { dataflows: [dataflowStatus()] });
    open.unshift(daemon);
    const { id } = dataflowStatus();
    daemon.event({
      type: "build",
      dataflow: id,
      atUnixMs: 7,
      node: "camera",
      linesDone: 1,
      linesTotal: 2,
      command: "make",
      state: "building",
      elapsedMs: 5,
    });
    await expect.poll(() => frames.some(({ type }) => type === "event")).toBe(true);
    expect(frames[0]).toEqual({ type: "welcome", version: "0.1.0" });
    expect(frames.find(({ type }) => type === "event")?.event).toMatchObject({
      type: "build",
      lines_done: 1,
      lines_total: 2,
      at_unix_ms: 7,
    });
    await expect
      .poll(() => frames.filter(({ dataflows }) => dataflows?.[0]?.name === "flow").length)
      .toBeGreaterThan(2);
  });

  test("one principal has so many streams, and gets one again when it closes one", async () => {
    const { url } = await start({ limits: { streamsPerPrincipalMax: 2 } });
    const first = await follow(url);
    await follow(url);
    expect(await upgradeStatus(url, "/api/v1/events")).toBe(429);
    first.socket.close();
    await expect.poll(() => upgradeStatus(url, "/api/v1/events")).toBe(101);
  });

  test("a reader that does not read is let go, and costs no more memory than its limit", async () => {
    const { url } = await start({ limits: { streamBytesMax: 1_000_000 } });
    const { socket, frames } = await follow(url);
    await expect.poll(() => frames.length).toBeGreaterThan(0);
    socket.pause();
    const daemon = await TestDaemon.connect(url, { dataflows: [dataflowStatus()] });
    open.unshift(daemon);
    const other = await follow(url);
    const events = (): number => other.frames.filter(({ type }) => type === "event").length;
    for (let index = 1; index <= 2000; index++) {
      daemon.event({
        type: "link",
        dataflow: dataflowStatus().id,
        atUnixMs: index,
        link: "a/b->c/d",
        state: "failed",
        elapsedMs: 0,
        message: "x".repeat(10_000),
      });
      // One that reads is never behind by its limit.
      if (index % 40 === 0) await expect.poll(events, { interval: 1 }).toBe(index);
    }
    const closed = once(socket, "close");
    socket.resume();
    expect((await closed)[0]).toBe(1013);
  });

  test("what a reader says is passed over, what is too long ends its stream", async () => {
    const { url, get } = await start();
    const { socket } = await follow(url);
    socket.send("{}");
    const closed = once(socket, "close");
    socket.send("x".repeat(2000));
    expect((await closed)[0]).toBe(1009);
    expect((await get("/healthz")).status).toBe(200);
  });
});

test("an address that is in use is told with the flag that gives another", async () => {
  const { url, coordinator } = await start();
  const options = { coordinator, version: "0", limits: COORDINATOR_LIMITS, log: silentLogger };
  await expect(
    CoordinatorServer.start({ ...options, host: "127.0.0.1", port: Number(new URL(url).port) }),
  ).rejects.toMatchObject({
    code: "ADDRESS_IN_USE",
    hint: "see `dora status` whether a coordinator runs there, or give another --listen",
  });
});
