import type { NodeRun } from "./node-run.ts";

export interface LogEntry {
  /** The id of the node that wrote it. */
  readonly node: string;
  readonly level: "error" | "warn" | "info" | "debug" | "trace" | "stdout";
  /** The standard entry, as JSON. */
  readonly entry: string;
}

/** From most to least severe; `stdout` is everything, as dora-rs has it. */
const LEVELS: readonly string[] = ["error", "warn", "info", "debug", "trace", "stdout"];

/** Sends a record to a node's inputs `dora/logs/LEVEL/NODE` that want it; never its own records, which would go round for ever. */
export function deliverLogTo(receiver: NodeRun, { node, level, entry }: LogEntry): void {
  if (node === receiver.id) return;
  for (const { id, source } of receiver.inputs) {
    if (source.kind !== "logs" || (source.node !== undefined && source.node !== node)) continue;
    if (LEVELS.indexOf(level) > LEVELS.indexOf(source.level)) continue;
    receiver.send({ type: "logs", input: id, entries: [entry] });
  }
}
