import { dirname } from "node:path";
import type { DataflowRunOptions } from "./dataflow-run.ts";
import { Launch } from "./launch.ts";
import type { RunContext } from "./run-context.ts";
import { RunReport } from "./run-report.ts";

/** Builds a dataflow's nodes, and starts none; told by events, the last of which is the dataflow's. */
export class BuildRun {
  readonly #launch: Launch;
  readonly #report: RunReport;
  readonly #abort = new AbortController();

  constructor(options: DataflowRunOptions, context: RunContext) {
    this.#launch = new Launch({ ...options, folder: dirname(options.file) }, context);
    this.#report = new RunReport(options, context);
  }

  async run(): Promise<void> {
    this.#report.emit({ type: "dataflow", state: "building" });
    const failures = await this.#launch.build(this.#abort.signal, (event) =>
      this.#report.emit(event),
    );
    const isStopped = this.#abort.signal.aborted;
    const state = isStopped ? "stopped" : failures.size > 0 ? "failed" : "completed";
    this.#report.emit({ type: "dataflow", state });
  }

  stop(): void {
    this.#abort.abort();
  }
}
