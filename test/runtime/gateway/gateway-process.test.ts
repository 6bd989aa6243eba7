/** The gateway's own process: begun by the first connection, and never left behind. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { Gateway } from "../../../src/runtime/gateway/gateway.ts";
import { silentLogger } from "../../../src/telemetry/logger.ts";
import { isAlive } from "../daemon/daemon-harness.ts";

const IDENTITY = { token: "t", dataflow: "d", node: "n" };
const NO_DAEMON = "/nonexistent/daemon.sock";

async function openGateway(): Promise<Gateway> {
  const gateway = new Gateway({ socketPath: NO_DAEMON, log: silentLogger });
  await gateway.open();
  onTestFinished(() => gateway.close());
  return gateway;
}

/** The status that a WebSocket is refused with. */
async function refusal(gateway: Gateway, authorization: string): Promise<number | undefined> {
  const socket = new WebSocket(gateway.environmentOf(IDENTITY)["DORA_WEBSOCKET_ENDPOINT"] ?? "", {
    headers: { authorization },
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  socket.once("unexpected-response", (_request, response) => resolve(response.statusCode));
  socket.on("error", reject);
  return promise.finally(() => socket.terminate());
}

test("it is not started before somebody connects, again after its death, and ends at the close", async () => {
  const gateway = await openGateway();
  expect(gateway.pid).toBeUndefined();
  expect(await refusal(gateway, "")).toBe(401);
  const first = gateway.pid ?? 0;
  process.kill(first, "SIGKILL");
  await expect.poll(() => gateway.pid).toBeUndefined();
  expect(await refusal(gateway, "Bearer //")).toBe(401);
  const second = gateway.pid ?? 0;
  expect(second).not.toBe(first);
  await gateway.close();
  expect(isAlive(second)).toBe(false);
});

test("a token that reads well is the daemon's to judge: without one, nobody comes in", async () => {
  const gateway = await openGateway();
  expect(await refusal(gateway, "Bearer t/d/n")).toBe(409);
});

test("it ends with a daemon that is killed with -9", async () => {
  const module = fileURLToPath(new URL("../../../src/runtime/gateway/gateway.ts", import.meta.url));
  const script = `
    import { Gateway } from ${JSON.stringify(module)};
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const gateway = new Gateway({ socketPath: "/nonexistent", log });
    await gateway.open();
    console.log(gateway.environmentOf({ token: "t", dataflow: "d", node: "n" }).DORA_GRPC_ENDPOINT);
    process.stdin.once("data", () => console.log(gateway.pid));
  `;
  const daemon = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => void daemon.kill("SIGKILL"));
  let printed = "";
  daemon.stdout.setEncoding("utf8").on("data", (chunk: string) => (printed += chunk));
  await expect.poll(() => printed, { timeout: 20_000 }).toMatch(/^http:.*\n$/);
  const socket = net.connect(Number(new URL(printed.trim()).port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  // HTTP/2's server speaks first: the process serves.
  await once(socket, "data");
  daemon.stdin.write("\n");
  await expect.poll(() => printed).toMatch(/\n\d+\n$/);
  const pid = Number(printed.trim().split("\n").at(-1));
  expect(isAlive(pid)).toBe(true);
  daemon.kill("SIGKILL");
  await expect.poll(() => isAlive(pid)).toBe(false);
});
