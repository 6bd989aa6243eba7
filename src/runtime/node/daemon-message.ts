import type {
  DaemonMessage,
  InputConfig,
  InputSource,
  NodeConfig,
  Parameters,
} from "../protocol/node-messages.ts";
import {
  either,
  list,
  number,
  object,
  objectWith,
  oneOf,
  parseJson,
  record,
  scalar,
  type Shape,
  text,
} from "./shape.ts";

const parameters: Shape<Parameters> = record(either(scalar, list(scalar)));

const transport = object({
  kind: oneOf("socket", "tcp", "websocket", "grpc", "redis", "mqtt"),
  options: record(scalar),
});

const sourceKind = object({ kind: oneOf("link", "timer", "logs") });
const linkSource = object({
  kind: oneOf("link"),
  link: text,
  node: text,
  output: text,
  transport,
});
const timerSource = object({ kind: oneOf("timer"), intervalNs: number });
const logsSource = objectWith({ kind: oneOf("logs"), level: text }, { node: text });

const inputSource: Shape<InputSource> = (value, path) => {
  const { kind } = sourceKind(value, path);
  if (kind === "link") return linkSource(value, path);
  return kind === "timer" ? timerSource(value, path) : logsSource(value, path);
};

const input: Shape<InputConfig> = objectWith(
  {
    id: text,
    source: inputSource,
    queueSize: number,
    queuePolicy: oneOf("drop_oldest", "backpressure"),
  },
  { inputTimeoutMs: number },
);

const named = object({ id: text, name: text });

const config: Shape<NodeConfig> = objectWith(
  {
    dataflow: named,
    node: named,
    inputs: list(input),
    outputs: list(
      objectWith({ id: text, format: oneOf("arrow") }, { schema: either(text, record(text)) }),
    ),
    parameters,
    runDirectory: text,
    linkToken: text,
    operators: list(object({ id: text, source: text, inputs: list(text), outputs: list(text) })),
  },
  { silenceMaxMs: number },
);

const link = object({
  link: text,
  output: text,
  target: object({ node: text, input: text }),
  transport,
  address: text,
});

const SHAPES: Readonly<Record<DaemonMessage["type"], Shape<DaemonMessage>>> = {
  welcome: object({ type: oneOf("welcome"), config }),
  refused: object({ type: oneOf("refused"), message: text }),
  connect: object({ type: oneOf("connect"), links: list(link) }),
  disconnect: object({ type: oneOf("disconnect"), links: list(text) }),
  start: object({ type: oneOf("start") }),
  stop: object({
    type: oneOf("stop"),
    reason: oneOf("manual", "all-inputs-closed"),
    graceMs: number,
  }),
  pause: object({ type: oneOf("pause") }),
  resume: object({ type: oneOf("resume") }),
  reload: objectWith({ type: oneOf("reload") }, { operator: text }),
  parameters: object({ type: oneOf("parameters"), set: parameters, deleted: list(text) }),
  "input-added": object({ type: oneOf("input-added"), input }),
  "input-removed": object({ type: oneOf("input-removed"), input: text }),
  "input-closed": object({ type: oneOf("input-closed"), input: text }),
  "input-recovered": object({ type: oneOf("input-recovered"), input: text }),
  "node-failed": object({
    type: oneOf("node-failed"),
    node: text,
    inputs: list(text),
    message: text,
  }),
  "node-restarted": object({ type: oneOf("node-restarted"), node: text }),
  logs: object({ type: oneOf("logs"), input: text, entries: list(text) }),
};

const typed = object({ type: text });

/**
 * Reads what came in a frame of JSON; undefined for a message of a type that is not known here.
 *
 * Errors: `ShapeError`, naming the place, for anything that is no message.
 */
export function readDaemonMessage(body: Buffer): DaemonMessage | undefined {
  const value = parseJson(body);
  const { type } = typed(value, "message");
  if (!isKnown(type)) return undefined;
  return SHAPES[type](value, type);
}

function isKnown(type: string): type is DaemonMessage["type"] {
  return Object.hasOwn(SHAPES, type);
}
