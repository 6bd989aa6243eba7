import { expect, test } from "vitest";
import { deliverLogTo } from "../../../src/runtime/daemon/log-inputs.ts";
import type { DaemonMessage } from "../../../src/runtime/protocol/node-messages.ts";
import type { LogEntry } from "../../../src/runtime/protocol/run-telemetry.ts";
import { parseDataflow } from "../../../src/runtime/dataflow/parse-dataflow.ts";

/** Who is sent a record of a node, in a dataflow. */
function receiversOf(
  text: string,
  node: string,
  level: LogEntry["level"] = "info",
): readonly string[] {
  const parsed = parseDataflow(text, { environment: {} });
  if (parsed.status !== "ok") throw new Error(JSON.stringify(parsed.problems));
  const told: string[] = [];
  const takers = parsed.dataflow.nodes.map(({ id, inputs }) => ({
    id,
    inputs,
    send: (message: DaemonMessage) => {
      if (message.type === "logs") told.push(`${id}/${message.input}`);
    },
  }));
  deliverLogTo(new Map(takers.map((taker) => [taker.id, taker])), {
    node,
    level,
    json: () => "{}",
  });
  return told;
}

test("a record goes to all that want its node and level, and not to its writer", () => {
  const flow = `
nodes:
  - { id: camera, path: a, outputs: [out] }
  - { id: all, path: a, inputs: { log: dora/logs } }
  - { id: warnings, path: a, inputs: { log: dora/logs/warn, image: camera/out } }
  - { id: one, path: a, inputs: { log: dora/logs/info/camera } }
`;
  expect(receiversOf(flow, "camera")).toEqual(["all/log", "one/log"]);
  expect(receiversOf(flow, "camera", "error")).toEqual(["all/log", "warnings/log", "one/log"]);
});

test("two that take each other's records are sent none of them, which would go round for ever", () => {
  const flow = `
nodes:
  - { id: camera, path: a, outputs: [out] }
  - { id: left, path: a, inputs: { log: dora/logs } }
  - { id: right, path: a, inputs: { log: dora/logs/error } }
  - { id: one, path: a, inputs: { log: dora/logs/info/camera } }
`;
  expect(receiversOf(flow, "left", "error")).toEqual([]);
  expect(receiversOf(flow, "right", "error")).toEqual([]);
  expect(receiversOf(flow, "camera", "error")).toEqual(["left/log", "right/log", "one/log"]);
  // It takes nothing of theirs: no circle.
  expect(receiversOf(flow, "one", "error")).toEqual(["left/log", "right/log"]);
});
