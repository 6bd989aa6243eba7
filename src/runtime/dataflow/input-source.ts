import type { LinkTransport } from "../protocol/node-messages.ts";
import type { DataflowInputSource } from "./dataflow.ts";
import { describeValue } from "./file-text.ts";
import { parseTimer } from "./quantities.ts";

const LOGS = /^dora\/logs(?:\/(error|warn|info|debug|trace|stdout)(?:\/([\w.-]+))?)?$/i;
const OUTPUT = /^([\w.-]+)\/([\w.-]+(?:\/[\w.-]+)*)$/;

/** What an input's `source` means, or in words what is wrong with it. */
export function parseInputSource(
  source: string,
  transport: LinkTransport,
): DataflowInputSource | string {
  const found = describeValue(source);
  if (source.startsWith("dora/timer/")) {
    const intervalNs = parseTimer(source);
    if (intervalNs !== undefined) return { kind: "timer", intervalNs };
    return `${found} is no timer of a day at most: give such as dora/timer/millis/100, in secs, millis, micros, nanos or hz`;
  }
  const logs = LOGS.exec(source);
  if (logs !== null) {
    return { kind: "logs", level: (logs[1] ?? "stdout").toLowerCase(), node: logs[2] };
  }
  if (source === "dora" || source.startsWith("dora/")) {
    return `${found} is unknown: give dora/timer/millis/100 or dora/logs, dora/logs/LEVEL, dora/logs/LEVEL/NODE`;
  }
  const [, node, output] = OUTPUT.exec(source) ?? [];
  if (node === undefined || output === undefined) return `${found} is no source: give node/output`;
  return { kind: "output", node, output, transport };
}
