import type { NodeRates, NodeStatus } from "../protocol/status.ts";
import type { NodeRun } from "./node-run.ts";

/** Of a node that does not run. */
const NO_RATES: NodeRates = {
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

export function nodeStatus(node: NodeRun): NodeStatus {
  const rates = node.telemetry?.rates() ?? NO_RATES;
  return {
    id: node.id,
    name: node.spec.name,
    state: node.state,
    pid: node.pid,
    restarts: node.restarts,
    rates: node.state === "paused" ? atRest(rates) : rates,
    cpuCores: node.cpuCores,
    memoryBytes: node.memoryBytes,
    connections: node.gauges.connections,
    ...(node.end === undefined ? {} : { end: node.end }),
  };
}

/** What was counted stays; what it did in the last seconds, before its pause, is not what it does. */
function atRest({ queued, dropped, errors }: NodeRates): NodeRates {
  return { ...NO_RATES, queued, dropped, errors };
}
