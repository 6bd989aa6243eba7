import type { LogEntry } from "../protocol/run-telemetry.ts";
import type { NodeRun } from "./node-run.ts";

/** From most to least severe; `stdout` is everything, as dora-rs has it. */
const LEVELS: readonly string[] = ["error", "warn", "info", "debug", "trace", "stdout"];

/**
 * Sends a record to the inputs `dora/logs/LEVEL/NODE` that want it; never to the node that wrote it, whose
 * records would go round for ever.
 */
export function deliverLogTo(nodes: Iterable<NodeRun>, { node, level, json }: LogEntry): void {
  let entry: string | undefined;
  for (const receiver of nodes) {
    if (receiver.id === node) continue;
    for (const { id, source } of receiver.inputs) {
      if (source.kind !== "logs" || (source.node !== undefined && source.node !== node)) continue;
      if (LEVELS.indexOf(level) > LEVELS.indexOf(source.level)) continue;
      entry ??= json();
      receiver.send({ type: "logs", input: id, entries: [entry] });
    }
  }
}
