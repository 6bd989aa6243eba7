/**
 * What telemetry costs the daemon: CPU milliseconds per 1,000 messages (two hops each, a send and a
 * handle) and per 1,000 lines of output, with a real `dora serve` that takes all of it.
 *
 *     node bench/run-telemetry.ts [--seconds 10] [--rate 1000]
 *
 * CPU is that of this process, all threads, without what it takes to make the hops and the lines.
 * Hops come in frames as a node sends them, each 200 ms.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setInterval as every } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ALL_LINKS, HOP_HANDLED, HOP_SENT, HopWriter } from "../src/runtime/protocol/hops.ts";
import type { NodeTelemetry } from "../src/runtime/protocol/run-telemetry.ts";
import { OtlpRunTelemetry } from "../src/runtime/telemetry/otlp-run-telemetry.ts";
import { silentLogger } from "../src/telemetry/logger.ts";
import { startServe } from "../test/serve-process.ts";

const FRAME_MS = 200;
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    rate: { type: "string", default: "1000" },
  },
});
const seconds = Number(values.seconds);
const rate = Number(values.rate);

const dataDirectory = await mkdtemp(join(tmpdir(), "dora-bench-telemetry-"));
const service = await startServe({ dataDirectory });
const beforeLoad = process.cpuUsage();
const telemetry = await OtlpRunTelemetry.start({
  endpoints: { grpc: `http://${service.otlpGrpc}`, http: service.otlpHttp },
  resource: { "service.name": "dora-daemon" },
  log: silentLogger,
});
console.log(`loading the SDK: ${cpuMs(beforeLoad).toFixed(0)} ms of CPU`);

const dataflow = { id: "bench", name: "bench" };
const sender = telemetry.nodeStarted(
  { dataflow, node: { id: "sender", name: "sender" }, inputs: [], outputs: ["data"] },
  process.pid,
);
const receiver = telemetry.nodeStarted(
  { dataflow, node: { id: "receiver", name: "receiver" }, inputs: ["data"], outputs: [] },
  process.pid,
);

const writer = new HopWriter();
let messages = 0;
let lines = 0;

const idleMs = await run("idle", () => {});
// What making the hops and the lines takes, which is no part of the daemon's work.
const nobody: Taker = { hops: () => {}, output: () => {} };
const perFrame = (rate * FRAME_MS) / 1000;
await run("warm-up of the load", () => sendFrames(nobody, nobody, perFrame));
const madeHopsMs = await run("load of messages alone", () => sendFrames(nobody, nobody, perFrame));
const madeLinesMs = await run("load of lines alone", () => writeLines(nobody, perFrame));
// Once to warm up, so that the compiler's work is not counted.
await run("warm-up", () => {
  sendFrames(sender, receiver, perFrame);
  writeLines(receiver, perFrame);
});
const hopsMs = (await run("messages", () => sendFrames(sender, receiver, perFrame))) - madeHopsMs;
const linesMs = (await run("lines", () => writeLines(receiver, perFrame))) - madeLinesMs;
const thousands = (rate * seconds) / 1000;
console.log(`CPU idle: ${((idleMs / seconds / 1000) * 100).toFixed(2)} % of a core`);
console.log(`CPU per 1,000 messages: ${(hopsMs / thousands).toFixed(1)} ms (two hops each)`);
console.log(`CPU per 1,000 lines: ${(linesMs / thousands).toFixed(1)} ms`);
const percent = (hopsMs / 2 / seconds / 1000) * 100;
console.log(`at ${rate} messages a second: ${percent.toFixed(2)} % of a core per node`);
await telemetry.close(10_000);
console.log(`losses ${JSON.stringify(telemetry.losses)}`);
await service.close();
await rm(dataDirectory, { recursive: true, force: true });

/** CPU milliseconds that `work`, called each 200 ms, takes over the time given. */
async function run(name: string, work: () => void): Promise<number> {
  const before = process.cpuUsage();
  let left = (seconds * 1000) / FRAME_MS;
  for await (const _ of every(FRAME_MS)) {
    work();
    left -= 1;
    if (left <= 0) break;
  }
  const usedMs = cpuMs(before);
  console.log(`${name}: ${usedMs.toFixed(0)} ms of CPU in ${seconds} s`);
  return usedMs;
}

function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

type Taker = Pick<NodeTelemetry, "hops" | "output">;

function sendFrames(sending: Taker, handling: Taker, count: number): void {
  const firstUnixNs = BigInt(Date.now() - FRAME_MS) * 1_000_000n;
  const ids = Array.from({ length: count }, (_, index) => {
    messages += 1;
    const sentUnixNs = firstUnixNs + BigInt(Math.floor((index * FRAME_MS * 1e6) / count));
    return { traceId: hex(messages, 32), spanId: hex(messages, 16), sentUnixNs };
  });
  for (const { traceId, spanId, sentUnixNs } of ids) {
    writer.write({
      kind: HOP_SENT,
      isFailed: false,
      port: 0,
      link: ALL_LINKS,
      payloadBytes: 1000,
      traceId,
      spanId,
      parentSpanId: "",
      startUnixNs: sentUnixNs,
      endUnixNs: sentUnixNs + 20_000n,
      sentUnixNs: 0n,
      receivedUnixNs: 0n,
    });
  }
  sending.hops(writer.take());
  for (const { traceId, spanId, sentUnixNs } of ids) {
    writer.write({
      kind: HOP_HANDLED,
      isFailed: false,
      port: 0,
      link: ALL_LINKS,
      payloadBytes: 1000,
      traceId,
      spanId: `f${spanId.slice(1)}`,
      parentSpanId: spanId,
      startUnixNs: sentUnixNs + 100_000n,
      endUnixNs: sentUnixNs + 500_000n,
      sentUnixNs,
      receivedUnixNs: sentUnixNs + 60_000n,
    });
  }
  handling.hops(writer.take());
}

function writeLines(node: Taker, count: number): void {
  for (let line = 0; line < count; line++) {
    lines += 1;
    const time = new Date().toISOString();
    node.output("stdout", Buffer.from(`${time} INFO app.camera: frame ${lines} took 12.5 ms\n`));
  }
}

function hex(number: number, length: number): string {
  return number.toString(16).padStart(length, "0");
}
