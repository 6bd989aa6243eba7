import type { FailureSummary } from "../protocol/status.ts";
import type { NodeRun } from "./node-run.ts";

/**
 * Names the node that failed first, and the nodes that ended because of it: those that take from it,
 * and those that take from these, where they ended no earlier than it did.
 */
export function summariseFailure(
  failures: readonly NodeRun[],
  receiversOf: (node: NodeRun) => Iterable<NodeRun>,
  /** Nodes that were stopped since the dataflow could not begin without the first one. */
  stopped: readonly NodeRun[],
): FailureSummary | undefined {
  const [first] = failures;
  const end = first?.end;
  if (first === undefined || end === undefined) return undefined;
  const reached = new Set<NodeRun>([first, ...stopped]);
  for (const node of reached) {
    for (const receiver of receiversOf(node)) {
      if ((receiver.end?.atUnixMs ?? 0) >= end.atUnixMs) reached.add(receiver);
    }
  }
  reached.delete(first);
  return { node: first.id, end, tookDown: [...reached].map((node) => node.id) };
}
