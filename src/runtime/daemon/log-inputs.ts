import type { LogEntry } from "../protocol/run-telemetry.ts";
import type { NodeRun } from "./node-run.ts";

/** From most to least severe; `stdout` is everything, as dora-rs has it. */
const LEVELS: readonly string[] = ["error", "warn", "info", "debug", "trace", "stdout"];

type LogTaker = Pick<NodeRun, "id" | "inputs" | "send">;

/**
 * Sends a record to the inputs `dora/logs/LEVEL/NODE` that want it; never to the node that wrote it, nor to one whose
 * own records the writer takes: they would go round for ever.
 */
export function deliverLogTo(
  nodes: ReadonlyMap<string, LogTaker>,
  { node, level, json }: LogEntry,
): void {
  const writer = nodes.get(node);
  let entry: string | undefined;
  for (const receiver of nodes.values()) {
    if (receiver.id === node || takesRecordsOf(writer, receiver.id)) continue;
    for (const { id, source } of receiver.inputs) {
      if (source.kind !== "logs" || (source.node !== undefined && source.node !== node)) continue;
      if (LEVELS.indexOf(level) > LEVELS.indexOf(source.level)) continue;
      entry ??= json();
      receiver.send({ type: "logs", input: id, entries: [entry] });
    }
  }
}

function takesRecordsOf(taker: LogTaker | undefined, node: string): boolean {
  return (taker?.inputs ?? []).some(({ source }) => {
    return source.kind === "logs" && (source.node === undefined || source.node === node);
  });
}
