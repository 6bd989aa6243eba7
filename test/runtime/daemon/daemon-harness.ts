/** A daemon in this process, in folders of its own, and what it tells. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { readDaemonMessage } from "../../../src/runtime/node/daemon-message.ts";
import { Daemon, type DaemonOptions } from "../../../src/runtime/daemon/daemon.ts";
import type { DaemonMessage, NodeLogRecord } from "../../../src/runtime/protocol/node-messages.ts";
import type {
  NodeIdentity,
  NodeTelemetry,
  RunTelemetry,
  StartSpan,
} from "../../../src/runtime/protocol/run-telemetry.ts";
import type {
  DataflowStatus,
  NodeRates,
  NodeStatus,
  RuntimeEvent,
} from "../../../src/runtime/protocol/status.ts";
import { createLogger, type EmittedRecord } from "../../../src/telemetry/logger.ts";

export const PROTOCOL_NODE = fileURLToPath(new URL("protocol-node.ts", import.meta.url));

const RATES: NodeRates = {
  inputPerSecond: 0,
  outputPerSecond: 0,
  inputBytesPerSecond: 0,
  outputBytesPerSecond: 0,
  latencyP50Ns: null,
  latencyP99Ns: null,
  handlingP50Ns: null,
  queued: 0,
  dropped: 0,
  errors: 0,
};

/** Keeps what it is told. */
export class RecordingTelemetry implements RunTelemetry {
  readonly identities: NodeIdentity[] = [];
  readonly logs: { level: string; message: string; attributes: Record<string, unknown> }[] = [];
  readonly usages: { node: string; cpuCores: number; memoryBytes: number }[] = [];
  readonly nodeLogs: string[] = [];
  readonly nodeRecords: NodeLogRecord[] = [];
  readonly ended: string[] = [];
  hopBytes = 0;
  /** What the nodes' rates are said to be. */
  rates: NodeRates = RATES;
  /** Of processes that run, or ended before. */
  readonly starts: (StartSpan & { readonly node: string })[] = [];
  readonly #unconfirmed = new Map<string, number>();
  readonly #output = new Map<string, string>();

  /** All that a node wrote, over all its processes. */
  output(node: string): string {
    return this.#output.get(node) ?? "";
  }

  /** As a node's process has last told. */
  unconfirmed(node: string): number {
    return this.#unconfirmed.get(node) ?? 0;
  }

  nodeStarted(identity: NodeIdentity): NodeTelemetry {
    const { id } = identity.node;
    this.identities.push(identity);
    return {
      output: (_, chunk) => this.#output.set(id, this.output(id) + chunk.toString()),
      log: (records) => {
        this.nodeRecords.push(...records);
        this.nodeLogs.push(...records.map(({ message }) => message));
      },
      hops: (body) => (this.hopBytes += body.length),
      gauges: ({ outputs = [] }) => {
        this.#unconfirmed.set(
          id,
          outputs.reduce((sum, { unconfirmed }) => sum + unconfirmed, 0),
        );
      },
      inputAdded: () => {},
      started: (span) => this.starts.push({ node: id, ...span }),
      usage: (cpuCores, memoryBytes) => this.usages.push({ node: id, cpuCores, memoryBytes }),
      rates: () => this.rates,
      ended: () => this.ended.push(id),
    };
  }

  log(level: string, message: string, attributes: Record<string, unknown>): void {
    this.logs.push({ level, message, attributes });
  }
}

export interface TestDaemon {
  readonly daemon: Daemon;
  readonly telemetry: RecordingTelemetry;
  readonly events: RuntimeEvent[];
  readonly log: EmittedRecord[];
  /** Where dataflow files stand. */
  readonly folder: string;
  /** Starts a dataflow from its text, and returns its id. */
  start(text: string, options?: { build?: boolean; name?: string }): Promise<string>;
  build(text: string): Promise<string>;
  file(name: string, text: string, mode?: number): string;
  status(dataflow: string): DataflowStatus;
  node(dataflow: string, node: string): NodeStatus;
  /** What a node was told, as `protocol-node.ts` prints it. */
  told(node: string): DaemonMessage[];
  /** Resolves once it is true; looked at after each event, and each 20 ms. */
  until(isReached: () => boolean): Promise<void>;
}

let flows = 0;

/** Opened in folders that go with the test. */
export async function openDaemon(options: Partial<DaemonOptions> = {}): Promise<TestDaemon> {
  const base = mkdtempSync(join(tmpdir(), "dora-daemon-"));
  const folder = join(base, "flow");
  mkdirSync(folder);
  const telemetry = new RecordingTelemetry();
  const log: EmittedRecord[] = [];
  const events: RuntimeEvent[] = [];
  const daemon = await Daemon.open({
    telemetry,
    log: createLogger({ level: "debug", sinks: [{ emit: (record) => log.push(record) }] }),
    folder: join(base, "run"),
    ...options,
  });
  onTestFinished(async () => {
    await daemon.close(500);
    rmSync(base, { recursive: true, force: true });
  });
  daemon.subscribe({ onEvent: (event) => events.push(event), onStatus: () => {} });

  const status = (dataflow: string): DataflowStatus => {
    const found = daemon.status().find(({ id }) => id === dataflow);
    if (found === undefined) throw new Error(`no dataflow ${dataflow}`);
    return found;
  };
  const file = (name: string, text: string, mode = 0o644): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode });
    return path;
  };
  const request = (text: string) => {
    flows += 1;
    const dataflow = `01900000-0000-7000-8000-${String(process.pid * 1000 + flows).padStart(12, "0")}`;
    return { dataflow, text, file: file("dataflow.yml", text), environment: {} };
  };
  return {
    daemon,
    telemetry,
    events,
    log,
    folder,
    file,
    status,
    async start(text, { build = false, name = "flow" } = {}) {
      const started = request(text);
      await daemon.handle({ method: "start", name, build, ...started });
      return started.dataflow;
    },
    async build(text) {
      const built = request(text);
      await daemon.handle({ method: "build", ...built });
      return built.dataflow;
    },
    node(dataflow, node) {
      const found = status(dataflow).nodes.find(({ id }) => id === node);
      if (found === undefined) throw new Error(`no node ${node}`);
      return found;
    },
    told: (node) =>
      telemetry
        .output(node)
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .flatMap((line) => readDaemonMessage(Buffer.from(line)) ?? []),
    async until(isReached) {
      const deadline = Date.now() + 60_000;
      while (!isReached()) {
        if (Date.now() > deadline) {
          throw new Error(
            `not reached: ${isReached.toString()}\n${JSON.stringify(events, null, 1)}`,
          );
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
}

/** A process that has ended and was not collected yet is not alive. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (process.platform !== "linux") return true;
  try {
    return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}
