import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { type WebSocket, WebSocketServer } from "ws";
import {
  CoordinatorLink,
  type FailedAttempt,
} from "../../../src/runtime/daemon/coordinator-link.ts";
import { DAEMON_PATH } from "../../../src/runtime/protocol/daemon-messages.ts";
import { silentLogger } from "../../../src/telemetry/logger.ts";
import { openDaemon } from "./daemon-harness.ts";

const Said = z.looseObject({ type: z.string() });
type Said = z.infer<typeof Said>;

/** The coordinator's side of the protocol, over a real WebSocket. */
async function openCoordinator(port = 0, answer: object = { type: "welcome", machine: "m" }) {
  const server = new WebSocketServer({ port, host: "127.0.0.1", path: DAEMON_PATH });
  await once(server, "listening");
  const said: Said[] = [];
  const sockets: WebSocket[] = [];
  const headers: (string | undefined)[] = [];
  server.on("connection", (socket, request) => {
    sockets.push(socket);
    headers.push(request.headers.authorization);
    socket.on("message", (data: Buffer) => {
      const message = Said.parse(JSON.parse(data.toString()));
      said.push(message);
      if (message.type === "hello") socket.send(JSON.stringify(answer));
    });
  });
  const close = async () => {
    for (const socket of sockets) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(close);
  const bound = server.address();
  const boundPort = typeof bound === "object" ? (bound?.port ?? 0) : 0;
  return {
    said,
    sockets,
    headers,
    close,
    port: boundPort,
    url: `http://127.0.0.1:${boundPort}`,
  };
}

/** Lets no time pass: each wait is over at once, and written down. */
function instantTimers(waits: number[]) {
  return {
    after: (delayMs: number, run: () => void) => {
      if (delayMs >= 10_000) return () => {};
      waits.push(delayMs);
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    },
  };
}

test("requests are answered, events and status told; a reconnected daemon says what it runs", async () => {
  const it = await openDaemon({ machine: "here" });
  const first = await openCoordinator();
  const link = await CoordinatorLink.connect({
    daemon: it.daemon,
    url: first.url,
    token: "secret",
    version: "1.2.3",
    log: silentLogger,
  });
  onTestFinished(() => link.close());
  expect(first.headers).toEqual(["Bearer secret"]);
  expect(first.said[0]).toEqual({
    type: "hello",
    protocol: 1,
    machine: "here",
    version: "1.2.3",
    pid: process.pid,
    dataflows: [],
  });
  const ask = (id: number, request: object) =>
    first.sockets[0]?.send(JSON.stringify({ type: "request", id, request }));
  const start = {
    method: "start",
    dataflow: "01900000-0000-7000-8000-aaaaaaaaaaaa",
    name: "flow",
    text: "nodes: [{ id: a, path: shell, args: sleep 1000 }]",
    file: `${it.folder}/dataflow.yml`,
    environment: {},
    build: false,
  };
  ask(1, start);
  ask(2, { method: "pause", dataflow: "unknown" });
  ask(3, { method: "fly" });
  const replies = () => first.said.filter(({ type }) => type.startsWith("reply"));
  await expect.poll(replies).toHaveLength(3);
  expect(replies().toSorted((a, b) => Number(a["id"]) - Number(b["id"]))).toMatchObject([
    { type: "reply", id: 1, result: { id: start.dataflow, name: "flow" } },
    { type: "reply-error", id: 2, code: "NOT_FOUND" },
    { type: "reply-error", id: 3, code: "REQUEST_INVALID" },
  ]);
  await expect.poll(() => first.said.some(({ type }) => type === "status")).toBe(true);
  const events = first.said.filter(({ type }) => type === "event").map(({ event }) => event);
  expect(events.at(-1)).toMatchObject({ type: "dataflow", state: "running" });

  await first.close();
  await expect.poll(() => link.isConnected).toBe(false);
  expect(it.status(start.dataflow).state).toBe("running");
  const second = await openCoordinator(first.port);
  await expect
    .poll(() => second.said[0])
    .toMatchObject({
      type: "hello",
      dataflows: [{ id: start.dataflow, state: "running" }],
    });
});

test.each([
  { type: "welcome", machine: "m" },
  { type: "refused", message: "no" },
])("a coordinator that says $type out of its turn is left, and found again", async (message) => {
  const it = await openDaemon({ machine: "here" });
  const coordinator = await openCoordinator();
  const link = await CoordinatorLink.connect({
    daemon: it.daemon,
    url: coordinator.url,
    version: "1",
    log: silentLogger,
  });
  onTestFinished(() => link.close());
  const [socket] = coordinator.sockets;
  socket?.send(JSON.stringify(message));
  if (socket !== undefined) await once(socket, "close");
  await expect.poll(() => coordinator.sockets).toHaveLength(2);
  await expect.poll(() => link.isConnected).toBe(true);
});

test("a request before the welcome is not carried out", async () => {
  const it = await openDaemon({ machine: "here" });
  const request = {
    method: "build",
    dataflow: "x",
    text: "nodes: []",
    file: "/x",
    environment: {},
  };
  const coordinator = await openCoordinator(0, { type: "request", id: 1, request });
  const connecting = CoordinatorLink.connect({
    daemon: it.daemon,
    url: coordinator.url,
    version: "1",
    log: silentLogger,
    retries: 1,
  });
  await expect(connecting).rejects.toMatchObject({ code: "COORDINATOR_UNREACHABLE" });
  expect(coordinator.said.map(({ type }) => type)).toEqual(["hello"]);
});

test("without a coordinator it is tried twice, a second apart, unless told otherwise", async () => {
  const it = await openDaemon();
  const gone = await openCoordinator();
  await gone.close();
  const attempts: FailedAttempt[] = [];
  const waits: number[] = [];
  const options = {
    daemon: it.daemon,
    url: gone.url,
    version: "1",
    log: silentLogger,
    timers: instantTimers(waits),
    onAttemptFailed: (attempt: FailedAttempt) => void attempts.push(attempt),
  };
  const error = await CoordinatorLink.connect(options).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "COORDINATOR_UNREACHABLE" });
  expect(String(error)).toContain(gone.url);
  expect(attempts.map(({ attempt, attempts: all }) => [attempt, all])).toEqual([
    [1, 2],
    [2, 2],
  ]);
  expect(waits).toEqual([1000]);
  await expect(
    CoordinatorLink.connect({ ...options, retries: 4, retryDelayMs: 5 }),
  ).rejects.toThrow();
  expect(waits.slice(1)).toEqual([5, 5, 5]);
});

test("tried for ever, it is ended by its signal", async () => {
  const it = await openDaemon();
  const gone = await openCoordinator();
  await gone.close();
  const abort = new AbortController();
  let count = 0;
  const options = {
    daemon: it.daemon,
    url: gone.url,
    version: "1",
    log: silentLogger,
    retryForever: true,
    timers: instantTimers([]),
    onAttemptFailed: () => {
      count += 1;
      if (count === 20) abort.abort(new Error("enough"));
    },
  };
  await expect(CoordinatorLink.connect(options, abort.signal)).rejects.toThrow("enough");
  expect(count).toBe(20);
  // With a signal that was there before, it is not tried at all.
  await expect(CoordinatorLink.connect(options, abort.signal)).rejects.toThrow("enough");
  expect(count).toBe(20);
});

test("a coordinator that refuses is not asked again", async () => {
  const it = await openDaemon();
  const refusing = await openCoordinator(0, { type: "refused", message: "version 1 is too old" });
  const connecting = CoordinatorLink.connect({
    daemon: it.daemon,
    url: refusing.url,
    version: "1",
    log: silentLogger,
  });
  await expect(connecting).rejects.toMatchObject({
    code: "SERVICE_REFUSED",
    message: "the coordinator refused: version 1 is too old",
  });
  expect(refusing.sockets).toHaveLength(1);
});
