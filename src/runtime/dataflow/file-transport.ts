import { z } from "zod";

/** Of a topic, in UTF-8: what a frame's hello may hold. */
const TOPIC_BYTES_MAX = 1024;

const file = z.string("give the path of a PEM file").min(1, "give the path of a PEM file");
const tls = {
  cert: file.describe("certificate of the receiving node, a PEM file").optional(),
  key: file.describe("its key, a PEM file").optional(),
  ca: file.describe("authority that signed the other side's certificate, a PEM file").optional(),
};
const topic = z
  .string("give the name of a topic")
  .min(1, "give the name of a topic")
  .refine(
    (text) => Buffer.byteLength(text) <= TOPIC_BYTES_MAX,
    `give at most ${TOPIC_BYTES_MAX} bytes`,
  );

function endpoint(example: string, ...schemes: readonly string[]) {
  const known = schemes.map((scheme) => `${scheme}://`).join(" or ");
  return z
    .string(`give an address such as ${example}`)
    .refine(
      (text) =>
        URL.canParse(text) && schemes.some((scheme) => new URL(text).protocol === `${scheme}:`),
      `give an address that begins with ${known}, such as ${example}`,
    )
    .describe(`where the receiving node listens, or the broker is: ${example}`)
    .optional();
}

/** A transport with its options. Redis and MQTT go through a broker, the others from node to node. */
const transportMap = z.discriminatedUnion(
  "kind",
  [
    z.strictObject({
      kind: z.literal("socket"),
      endpoint: z
        .string("give a path such as unix:/run/flow/detector.sock")
        .regex(/^unix:./, "give a path such as unix:/run/flow/detector.sock")
        .optional(),
    }),
    z.strictObject({
      kind: z.literal("tcp"),
      endpoint: endpoint("tcp://10.0.0.7:7001", "tcp", "tls"),
      ...tls,
    }),
    z.strictObject({
      kind: z.literal("websocket"),
      endpoint: endpoint("ws://10.0.0.7:7001/dora", "ws", "wss"),
      ...tls,
    }),
    z.strictObject({
      kind: z.literal("grpc"),
      endpoint: endpoint("grpc://10.0.0.7:7001", "grpc", "grpcs"),
      ...tls,
    }),
    z.strictObject({
      kind: z.literal("redis"),
      endpoint: endpoint("redis://10.0.0.5:6379/0", "redis", "rediss"),
      topic: topic.describe("channel, pattern of channels, or stream").optional(),
      mode: z
        .enum(["events", "tasks"], "give events (every receiver) or tasks (one of the workers)")
        .describe("events: every receiver hears each message; tasks: one of the workers gets it")
        .optional(),
      group: z
        .string("give the name of a group of workers")
        .min(1, "give the name of a group of workers")
        .optional(),
      idle_ms: z
        .number("give milliseconds")
        .int("give whole milliseconds")
        .min(1000, "give 1000 or more")
        .describe("a task without a sign of life for so long goes to another worker")
        .optional(),
    }),
    z.strictObject({
      kind: z.literal("mqtt"),
      endpoint: endpoint("mqtt://10.0.0.5:1883", "mqtt", "mqtts"),
      topic: topic
        .refine(isTopicFilter, "`+` stands for a whole level, `#` for all that follow at the end")
        .describe("a topic; `+` stands for one level of it, `#` for all that follow")
        .optional(),
      ...tls,
    }),
    z.looseObject({ kind: z.literal("zenoh") }),
    z.looseObject({ kind: z.literal("quic") }),
  ],
  "give a `kind`: socket, tcp, websocket, grpc, redis or mqtt",
);

/** `default_transport`, and an input's `transport`: a name, or a map with a `kind` and its options. */
export const fileTransport = z.union(
  [
    z.enum(
      ["socket", "tcp", "websocket", "grpc", "redis", "mqtt", "zenoh", "quic"],
      "give socket, tcp, websocket, grpc, redis or mqtt",
    ),
    transportMap,
  ],
  "give socket, tcp, websocket, grpc, redis or mqtt, or a map with such a `kind` and its options",
);
export type FileTransport = z.infer<typeof fileTransport>;

/** As MQTT has it: wildcards stand for whole levels. */
function isTopicFilter(text: string): boolean {
  return text
    .split("/")
    .every(
      (level, index, levels) =>
        level === "+" || (level === "#" && index === levels.length - 1) || !/[+#]/.test(level),
    );
}
