import type { Dataflow } from "../dataflow/dataflow.ts";
import type { NodeRun } from "./node-run.ts";
import type { ProcessReading } from "./process-table.ts";
import { readProcesses } from "./process-table.ts";
import type { RunContext } from "./run-context.ts";
import { ThresholdWatch } from "./threshold-watch.ts";

interface Watched {
  readonly dataflow: { readonly id: string; readonly name: string };
  readonly nodes: ReadonlyMap<string, NodeRun>;
}

/** Looks at each node of a dataflow once a second: its process, its health, its thresholds. */
export class RunWatch {
  readonly #run: Watched;
  readonly #context: RunContext;
  readonly #thresholds: ReadonlyMap<string, ThresholdWatch>;
  readonly #readings = new Map<NodeRun, { readonly reading: ProcessReading; atMs: number }>();

  constructor(run: Watched, dataflow: Dataflow, context: RunContext) {
    this.#run = run;
    this.#context = context;
    this.#thresholds = new Map(
      dataflow.nodes.map((node) => [
        node.id,
        new ThresholdWatch(node.thresholds, dataflow.thresholds),
      ]),
    );
  }

  async tick(): Promise<void> {
    const nodes = [...this.#run.nodes.values()].filter((node) => node.pid !== null);
    const readings = await readProcesses(nodes.map((node) => node.pid ?? 0));
    const nowMs = this.#context.clock.monotonicMs();
    for (const node of nodes) {
      const reading = readings.get(node.pid ?? 0);
      if (reading !== undefined) this.#takeUsage(node, reading, nowMs);
      node.checkHealth();
      this.#checkThresholds(node, nowMs);
    }
  }

  #takeUsage(node: NodeRun, reading: ProcessReading, nowMs: number): void {
    const previous = this.#readings.get(node);
    this.#readings.set(node, { reading, atMs: nowMs });
    node.memoryBytes = reading.memoryBytes;
    if (previous?.reading.startedAt !== reading.startedAt) return;
    const seconds = (nowMs - previous.atMs) / 1000;
    if (seconds <= 0) return;
    node.cpuCores = Math.max(0, reading.cpuSeconds - previous.reading.cpuSeconds) / seconds;
    node.telemetry?.usage(node.cpuCores, reading.memoryBytes);
  }

  #checkThresholds(node: NodeRun, nowMs: number): void {
    const { telemetry } = node;
    const thresholds = this.#thresholds.get(node.id);
    if (telemetry === undefined || thresholds === undefined) return;
    for (const sentence of thresholds.check(nowMs, telemetry.rates(), node.memoryBytes)) {
      this.#context.telemetry.log("warn", sentence, {
        "dora.dataflow.id": this.#run.dataflow.id,
        "dora.dataflow.name": this.#run.dataflow.name,
        "dora.node.id": node.id,
        "dora.node.name": node.spec.name,
      });
    }
  }
}
