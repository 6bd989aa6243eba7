/** Nodes in processes of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { Hop } from "../../../src/runtime/protocol/hops.ts";
import { DaemonSide } from "./daemon-side.ts";

const SENT = 1;
const HANDLED = 2;

test("a trace goes from a timer through two processes and back into this one", async () => {
  const daemon = await DaemonSide.start({
    source: { inputs: { tick: "timer:20" }, outputs: ["out"] },
    relay: { inputs: { in: "source/out" }, outputs: ["out"] },
  });
  const source = start(daemon, "source", "source");
  const relay = start(daemon, "relay", "relay");
  const [first, second] = [daemon.node("source"), daemon.node("relay")];
  await second.until(() => second.hops.length >= 4);
  for (const side of [first, second]) {
    side.say({ type: "stop", reason: "manual", graceMs: 5000 });
  }
  expect(await endOf(source)).toEqual([0, null]);
  expect(await endOf(relay)).toEqual([0, null]);
  await first.until(() => !first.isConnected);
  await second.until(() => !second.isConnected);

  const relayed = hopOf(second.hops, HANDLED);
  const sent = first.hops.find(({ spanId }) => spanId === relayed.parentSpanId);
  const ticked = first.hops.find(({ spanId }) => spanId === sent?.parentSpanId);
  const sentOn = second.hops.find(({ parentSpanId }) => parentSpanId === relayed.spanId);
  const { traceId } = relayed;
  expect(ticked).toMatchObject({ kind: HANDLED, traceId, parentSpanId: "", payloadBytes: 0 });
  expect(sent).toMatchObject({ kind: SENT, traceId, payloadBytes: 4, port: 0 });
  expect(sentOn).toMatchObject({ kind: SENT, traceId, payloadBytes: 4, port: 0 });
  const times = [sent?.startUnixNs, relayed.sentUnixNs, relayed.receivedUnixNs];
  const later = [relayed.startUnixNs, sentOn?.startUnixNs, sentOn?.endUnixNs, relayed.endUnixNs];
  expect([...times, ...later]).toEqual([...times, ...later].sort(byTime));
  const record = second.of("log").flatMap(({ records }) => records)[0];
  expect(record).toMatchObject({ level: "info", message: "relayed", attributes: { bytes: 4 } });
  expect(record).toMatchObject({ traceId, spanId: relayed.spanId });
});

test("a process that dies of its handler's error says which message it was handling", async () => {
  const daemon = await DaemonSide.start({ crash: { inputs: { tick: "timer:1000" } } });
  const child = start(daemon, "crash", "crash");
  expect((await endOf(child))[0]).toBe(1);
  const side = daemon.node("crash");
  await side.until(() => !side.isConnected);
  expect(side.hops).toMatchObject([{ kind: HANDLED, isFailed: true }]);
  const record = side.of("log").flatMap(({ records }) => records)[0];
  expect(record).toMatchObject({ level: "error", traceId: side.hops[0].traceId });
  expect(record.attributes).toMatchObject({ cause: { type: "Error", message: "broken lens" } });
  expect(side.of("finished")).toEqual([]);
});

function start(daemon: DaemonSide, id: string, part: string): ChildProcess {
  const program = fileURLToPath(new URL("node-process.ts", import.meta.url));
  const child = spawn(process.execPath, [program, part], {
    env: { ...process.env, ...daemon.environment(id) },
    stdio: ["ignore", "inherit", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function endOf(child: ChildProcess): Promise<readonly unknown[]> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return [child.exitCode, child.signalCode];
  }
  const end: readonly unknown[] = await once(child, "exit");
  return end;
}

function hopOf(hops: readonly Hop[], kind: number): Hop {
  const found = hops.find((hop) => hop.kind === kind);
  if (found === undefined) throw new Error(`there is no hop of kind ${kind}`);
  return found;
}

function byTime(left: bigint | undefined, right: bigint | undefined): number {
  return Number((left ?? 0n) - (right ?? 0n));
}
