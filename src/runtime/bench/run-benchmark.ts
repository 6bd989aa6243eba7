import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { AppError } from "../../core/errors.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import { Daemon } from "../daemon/daemon.ts";
import { connectRedis } from "../transports/redis-client.ts";
import { GUARANTEES } from "../transports/guarantees.ts";
import { DiscardedTelemetry } from "./discarded-telemetry.ts";
import { type Mode, type Plan, PLAN_VARIABLE, StepResult } from "./method.ts";

/** What a broker may have to keep of one size: it is given fewer messages of the largest. */
const BROKER_BYTES_MAX = 256 * 1024 * 1024;
const RECEIVER_QUEUE = 1000;

/** By the names that `--transport` takes. */
const TRANSPORTS = {
  socket: GUARANTEES.socket,
  tcp: GUARANTEES.tcp,
  websocket: GUARANTEES.websocket,
  grpc: GUARANTEES.grpc,
  "redis/events": GUARANTEES["redis, events"],
  "redis/tasks": GUARANTEES["redis, tasks"],
  mqtt: GUARANTEES.mqtt,
};
export type TransportName = keyof typeof TRANSPORTS;
export const TRANSPORT_NAMES = Object.keys(TRANSPORTS).filter(isTransportName);

/** The largest payload that goes over it. */
export function payloadBytesMaxOf(name: TransportName): number {
  return TRANSPORTS[name].payloadBytesMax;
}

export function isTransportName(name: string): name is TransportName {
  return Object.hasOwn(TRANSPORTS, name);
}

/** The program of each of the two nodes: an absolute path, as in a dataflow file. */
export interface BenchmarkNodes {
  readonly sender: string;
  readonly receiver: string;
}

export interface BenchmarkOptions {
  readonly mode: Mode;
  readonly transport: TransportName;
  /** Of the broker, where the transport has one. */
  readonly endpoint?: string;
  readonly sizesBytes: readonly number[];
  /** Of each size, or of this one. */
  readonly messages: number | ((sizeBytes: number) => number);
  /** Default: those of this folder. */
  readonly nodes?: BenchmarkNodes;
  /** Of the nodes; default that of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export interface BenchmarkRow extends Omit<StepResult, "step"> {
  readonly sizeBytes: number;
  readonly messages: number;
  readonly lost: number;
}

const OWN_NODES: BenchmarkNodes = {
  sender: besideThis("sender-node"),
  receiver: besideThis("receiver-node"),
};

/**
 * Runs a dataflow of two node processes by a daemon of its own, in this process and in a temporary
 * folder, and gives what its receiver measured, a row for each size. A size that the transport does
 * not carry has none.
 *
 * Errors: `BENCH_FAILED` with what the nodes wrote, where they fail or `signal` ends them before
 *         their time.
 */
export async function runBenchmark(
  options: BenchmarkOptions,
  signal?: AbortSignal,
): Promise<readonly BenchmarkRow[]> {
  const plan = planOf(options);
  if (plan.steps.length === 0) return [];
  const folder = mkdtempSync(join(tmpdir(), "dora-bench-"));
  const telemetry = new DiscardedTelemetry();
  const topic = `dora-bench-${randomUUID()}`;
  try {
    const daemon = await Daemon.open({
      telemetry,
      log: silentLogger,
      folder,
      environment: options.environment ?? process.env,
    });
    const stop = (): void => void daemon.close(0);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      const id = randomUUID();
      await daemon.handle({
        method: "start",
        dataflow: id,
        name: "bench",
        build: false,
        file: join(folder, "dataflow.yml"),
        environment: {},
        text: flowOf(options, plan, topic),
      });
      const { state } = await daemon.ended(id);
      if (state !== "completed") {
        const said = telemetry.errors.trim();
        throw new AppError("BENCH_FAILED", `the nodes of the benchmark failed: ${said}`);
      }
    } finally {
      signal?.removeEventListener("abort", stop);
      await daemon.close(0);
    }
    return rowsOf(plan, telemetry.printedBy("receiver"));
  } finally {
    if (options.transport === "redis/tasks") await removeStream(options.endpoint ?? "", topic);
    rmSync(folder, { recursive: true, force: true });
  }
}

function planOf({ mode, transport, sizesBytes, messages }: BenchmarkOptions): Plan {
  const { kind, payloadBytesMax } = TRANSPORTS[transport];
  const hasBroker = kind === "redis" || kind === "mqtt";
  const steps = sizesBytes
    .filter((sizeBytes) => sizeBytes <= payloadBytesMax)
    .map((sizeBytes) => {
      const wanted = typeof messages === "number" ? messages : messages(sizeBytes);
      const most = Math.max(1, Math.floor(BROKER_BYTES_MAX / Math.max(1, sizeBytes)));
      const isLimited = hasBroker && mode === "throughput";
      return { sizeBytes, messages: isLimited ? Math.min(wanted, most) : wanted };
    });
  return { mode, steps };
}

/** JSON is YAML. That something has arrived is always told by a socket. */
function flowOf({ transport, endpoint, nodes }: BenchmarkOptions, plan: Plan, topic: string) {
  const { sender, receiver } = nodes ?? OWN_NODES;
  const [kind, mode] = transport.split("/");
  const broker =
    endpoint === undefined ? {} : { endpoint, topic, ...(mode === undefined ? {} : { mode }) };
  const env = { [PLAN_VARIABLE]: JSON.stringify(plan) };
  const queue = { queue_size: RECEIVER_QUEUE, queue_policy: "backpressure" };
  return JSON.stringify({
    nodes: [
      {
        id: "sender",
        path: sender,
        env,
        inputs: { arrived: { source: "receiver/arrived", queue_size: RECEIVER_QUEUE } },
        outputs: ["data"],
      },
      {
        id: "receiver",
        path: receiver,
        env,
        inputs: { data: { source: "sender/data", ...queue, transport: { kind, ...broker } } },
        outputs: ["arrived"],
      },
    ],
  });
}

/** Errors: `BENCH_FAILED` where the receiver did not come to its end. */
function rowsOf(plan: Plan, printed: string): readonly BenchmarkRow[] {
  const results = printed
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => StepResult.parse(JSON.parse(line)));
  return plan.steps.map(({ sizeBytes, messages }, index) => {
    const result = results.find(({ step }) => step === index);
    if (result === undefined) {
      throw new AppError("BENCH_FAILED", `the receiver did not tell of ${sizeBytes} bytes`);
    }
    const { step: _, ...measured } = result;
    return { sizeBytes, messages, lost: messages - result.received, ...measured };
  });
}

/** The server keeps an empty stream for its group, which nobody asks for again. */
async function removeStream(endpoint: string, topic: string): Promise<void> {
  const client = await connectRedis({
    endpoint,
    timeoutMs: 5_000,
    onConnection: () => {},
    environment: process.env,
  }).catch(() => undefined);
  await client?.sendCommand(["DEL", topic]);
  client?.destroy();
}

/** `.ts` among the sources, `.js` in the package. */
function besideThis(name: string): string {
  return fileURLToPath(new URL(`./${name}${extname(import.meta.filename)}`, import.meta.url));
}
