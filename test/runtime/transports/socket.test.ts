import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { SocketTransport } from "../../../src/runtime/transports/socket.ts";
import { startCutProxy } from "./cut-proxy.ts";
import { testStrangers } from "./stranger-tests.ts";
import { type ContractSetUp, connect, openInbox, testContract } from "./transport-contract.ts";
import { numbered } from "./recording-receiver.ts";

/** `ring` is where large payloads go, as in a flow; without one, everything goes through the socket. */
async function setUp(hasRing: boolean): Promise<ContractSetUp & { readonly folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), "dora-socket-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const settings = hasRing ? { ringFolder: folder } : {};
  let count = 0;
  const path = (): string => join(folder, `${count++}.sock`);
  return {
    kind: "socket",
    settings,
    folder,
    transport: new SocketTransport(settings),
    endpoint: async () => `unix:${path()}`,
    cuttable: async (inbox) => {
      const listenPath = path();
      const target = { path: inbox.endpoint.slice("unix:".length) };
      const proxy = await startCutProxy(target, listenPath);
      onTestFinished(() => proxy.close());
      return { ...proxy, endpoint: `unix:${listenPath}` };
    },
    nobody: `unix:${join(folder, "nobody.sock")}`,
  };
}

describe("socket, large payloads through a ring in memory", () => {
  testContract(() => setUp(true));
});

describe("socket alone", () => {
  testContract(() => setUp(false));
  testStrangers(() => setUp(false));
});

test("a ring's file is gone as soon as both have it open", async () => {
  const found = await setUp(true);
  const { outbox, receiver } = await connect(found);
  for (let index = 0; index < 3; index++) {
    outbox.send(Buffer.alloc(0), numbered(index, 300_000));
    await receiver.received(index + 1);
    await outbox.drained();
  }
  expect(readdirSync(found.folder).filter((name) => name.includes("ring"))).toEqual([]);
});

test("a receiver that cannot reach the ring gets large payloads through the socket", async () => {
  const found = await setUp(true);
  const elsewhere = new SocketTransport({ ringFolder: join(found.folder, "elsewhere") });
  const endpoint = await found.endpoint();
  const inbox = await openInbox(elsewhere, endpoint);
  const { outbox, receiver } = await connect({
    ...found,
    transport: {
      ...found.transport,
      guarantees: found.transport.guarantees,
      openInbox: async () => inbox,
      openOutbox: (options) => found.transport.openOutbox(options),
      close: async () => {},
    },
  });
  for (let index = 0; index < 3; index++) {
    await outbox.drained();
    outbox.send(Buffer.alloc(0), numbered(index, 300_000));
    await receiver.received(index + 1);
  }
  expect(receiver.numbers()).toEqual([0, 1, 2]);
});

test("only the user may connect, and the file of a killed process is in nobody's way", async () => {
  const found = await setUp(false);
  const endpoint = await found.endpoint();
  const path = endpoint.slice("unix:".length);
  const first = await found.transport.openInbox({ endpoint });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await expect(found.transport.openInbox({ endpoint })).rejects.toMatchObject({
    code: "ADDRESS_IN_USE",
  });
  await first.close();
  const { execFileSync } = await import("node:child_process");
  const leave = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`;
  expect(() => execFileSync(process.execPath, ["-e", leave])).toThrow();
  expect(statSync(path).isSocket()).toBe(true);
  const second = await found.transport.openInbox({ endpoint });
  await second.close();
});

test("an endpoint that is none is told before anything is opened", async () => {
  const { transport, folder } = await setUp(false);
  const long = `unix:/${"x".repeat(200)}`;
  for (const endpoint of ["", "tcp://127.0.0.1:1", "unix:relative", long]) {
    await expect(transport.openInbox({ endpoint })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  }
  writeFileSync(join(folder, "file"), "");
  const endpoint = `unix:${join(folder, "file", "below")}`;
  await expect(transport.openInbox({ endpoint })).rejects.toMatchObject({ code: "LISTEN_FAILED" });
});
