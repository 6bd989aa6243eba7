import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import { formatUnixNs } from "../../core/time.ts";
import type { LogEntry, NodeIdentity } from "../protocol/run-telemetry.ts";

/** The lowest number of each level, the most severe first. */
const LEVELS = [
  [17, "error"],
  [13, "warn"],
  [9, "info"],
  [5, "debug"],
  [1, "trace"],
] as const;

/** A record of a node as inputs of `dora/logs` get it. */
export function toLogEntry({ node, dataflow }: NodeIdentity, record: ReadableLogRecord): LogEntry {
  const severity: number = record.severityNumber ?? 0;
  return {
    node: node.id,
    level: LEVELS.find(([lowest]) => severity >= lowest)?.[1] ?? "stdout",
    json: () => {
      const [seconds, nanoseconds] = record.hrTime;
      return JSON.stringify({
        timestamp: formatUnixNs(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)),
        level: record.severityText ?? "",
        node: node.name,
        node_id: node.id,
        dataflow: dataflow.name,
        message: record.body ?? "",
        trace_id: record.spanContext?.traceId ?? "",
        span_id: record.spanContext?.spanId ?? "",
        attributes: record.attributes,
      });
    },
  };
}
