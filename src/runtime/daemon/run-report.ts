import type { DataflowState, FailureSummary } from "../protocol/status.ts";
import type { NodeRun } from "./node-run.ts";
import type { EventBody, RunContext } from "./run-context.ts";
import { unixMs } from "./run-context.ts";

/** Tells what happens in a dataflow: events to who follows it, records to the log. */
export class RunReport {
  readonly #dataflow: { readonly id: string; readonly name: string };
  readonly #context: RunContext;

  constructor(dataflow: { readonly id: string; readonly name: string }, context: RunContext) {
    this.#dataflow = dataflow;
    this.#context = context;
  }

  emit(event: EventBody): void {
    const at = { atUnixMs: unixMs(this.#context.clock), dataflow: this.#dataflow.id };
    this.#context.emit({ ...at, ...event });
  }

  log(
    level: "info" | "warn" | "error",
    message: string,
    attributes: Readonly<Record<string, string>> = {},
  ): void {
    this.#context.telemetry.log(level, message, {
      "dora.dataflow.id": this.#dataflow.id,
      "dora.dataflow.name": this.#dataflow.name,
      ...attributes,
    });
  }

  ended(state: DataflowState, failure: FailureSummary | undefined): void {
    this.log(failure === undefined ? "info" : "error", `The dataflow is ${state}.`);
    this.emit({ type: "dataflow", state, ...(failure === undefined ? {} : { failure }) });
  }

  linkFailed(node: NodeRun, link: string, message: string): void {
    const attributes = { "dora.node.id": node.id, "dora.link": link };
    this.log("error", `A link failed: ${message}.`, attributes);
  }

  nodeChanged(node: NodeRun): void {
    const { end, id, pid, state } = node;
    const isAfterEnd = end !== undefined && (node.isEnded || state === "restarting");
    this.emit({
      type: "node",
      node: id,
      state,
      ...(pid === null ? {} : { pid }),
      ...(isAfterEnd ? { end } : {}),
    });
    const attributes = { "dora.node.id": id, "dora.node.name": node.spec.name };
    switch (state) {
      case "failed":
        this.log("error", `The node failed: ${end?.message ?? "unknown"}.`, attributes);
        break;
      case "restarting":
        this.log("warn", `The node is restarted: ${end?.message ?? "asked for"}.`, attributes);
        break;
      case "running":
      case "completed":
      case "stopped":
        this.log("info", `The node is ${state}.`, attributes);
        break;
      case "building":
      case "starting":
      case "paused":
      case "stopping":
    }
  }
}
