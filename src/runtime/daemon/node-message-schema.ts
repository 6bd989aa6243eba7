import { z } from "zod";
import type { NodeMessage } from "../protocol/node-messages.ts";

/** Records in one message; a frame holds no more of usual size. */
export const LOG_RECORDS_MAX = 10_000;
const LIST_MAX = 10_000;
const ID_LENGTH_MAX = 512;
const MESSAGE_LENGTH_MAX = 1024 * 1024;
const ADDRESS_LENGTH_MAX = 4096;

const id = z.string().max(ID_LENGTH_MAX);
const count = z.number().int().min(0);
const transport = z.enum(["socket", "tcp", "websocket", "grpc", "redis", "mqtt"]);

const logRecord = z.object({
  time: z.string().regex(/^\d{1,20}$/, "the time is Unix nanoseconds in decimal"),
  level: z.enum(["trace", "debug", "info", "warn", "error", "fatal"]),
  message: z.string().max(MESSAGE_LENGTH_MAX),
  logger: id.exactOptional(),
  traceId: z.hex().length(32).exactOptional(),
  spanId: z.hex().length(16).exactOptional(),
  attributes: z.record(z.string(), z.unknown()).exactOptional(),
});

/** What a node may say, whatever it is: every frame of JSON is read by this and by nothing else. */
export const NodeMessageSchema: z.ZodType<NodeMessage> = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    protocol: z.number().int(),
    dataflow: id,
    node: id,
    token: id,
    pid: z.number().int().min(0),
    library: id,
  }),
  z.object({
    type: z.literal("listening"),
    inboxes: z
      .array(z.object({ transport, address: z.string().max(ADDRESS_LENGTH_MAX) }))
      .max(LIST_MAX),
  }),
  z.object({ type: z.literal("log"), records: z.array(logRecord).max(LOG_RECORDS_MAX) }),
  z.object({
    type: z.literal("gauges"),
    gauges: z.object({
      eventLoopUtilization: z.number().min(0).max(1).exactOptional(),
      connections: count,
      inputs: z
        .array(z.object({ input: id, queued: count, received: count, dropped: count }))
        .max(LIST_MAX),
      outputs: z
        .array(z.object({ output: id, unconfirmed: count }))
        .max(LIST_MAX)
        .exactOptional(),
    }),
  }),
  z.object({ type: z.literal("input-closed"), input: id }),
  z.object({
    type: z.literal("link-failed"),
    link: id,
    message: z.string().max(MESSAGE_LENGTH_MAX),
  }),
  z.object({ type: z.literal("outputs-closed"), outputs: z.array(id).max(LIST_MAX) }),
  z.object({ type: z.literal("finished") }),
]);

const KNOWN_TYPES: ReadonlySet<string> = new Set<NodeMessage["type"]>([
  "hello",
  "listening",
  "log",
  "gauges",
  "input-closed",
  "link-failed",
  "outputs-closed",
  "finished",
]);

export type ReadNodeMessage =
  | { readonly status: "ok"; readonly message: NodeMessage }
  /** Of a later version: passed over. */
  | { readonly status: "unknown"; readonly type: string }
  | { readonly status: "invalid"; readonly reason: string };

/** Reads the body of a frame of JSON. */
export function readNodeMessage(body: Buffer): ReadNodeMessage {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    return { status: "invalid", reason: "it is not JSON" };
  }
  const parsed = NodeMessageSchema.safeParse(value);
  if (parsed.success) return { status: "ok", message: parsed.data };
  const type = typeof value === "object" && value !== null && "type" in value ? value.type : "";
  if (typeof type === "string" && type !== "" && !KNOWN_TYPES.has(type)) {
    return { status: "unknown", type };
  }
  const [issue] = parsed.error.issues;
  const path = issue?.path.map(String).join(".") ?? "";
  return { status: "invalid", reason: `${path === "" ? "it" : path}: ${issue?.message ?? ""}` };
}
