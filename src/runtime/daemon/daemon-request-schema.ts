import { z } from "zod";
import type { CoordinatorToDaemon, DaemonRequest } from "../protocol/daemon-messages.ts";

const ID_LENGTH_MAX = 512;
const TEXT_LENGTH_MAX = 2 * 1024 * 1024;
const GRACE_MS_MAX = 24 * 3600 * 1000;
const LIST_MAX = 10_000;

const id = z.string().min(1).max(ID_LENGTH_MAX);
const file = z.string().min(1).max(4096);
const text = z.string().max(TEXT_LENGTH_MAX);
const environment = z.record(z.string(), z.string());
const scalar = z.union([z.boolean(), z.number(), z.string()]);
const parameters = z.record(z.string(), z.union([scalar, z.array(scalar).max(LIST_MAX)]));
const output = z.object({ node: id, output: id });
const input = z.object({ node: id, input: id });

const DaemonRequestSchema: z.ZodType<DaemonRequest> = z.discriminatedUnion("method", [
  z.object({
    method: z.literal("start"),
    dataflow: id,
    name: id,
    text,
    file,
    environment,
    build: z.boolean(),
  }),
  z.object({ method: z.literal("build"), dataflow: id, text, file, environment }),
  z.object({
    method: z.literal("stop"),
    dataflow: id,
    graceMs: z.number().min(0).max(GRACE_MS_MAX).exactOptional(),
    force: z.boolean(),
  }),
  z.object({ method: z.enum(["pause", "resume"]), dataflow: id, node: id.exactOptional() }),
  z.object({
    method: z.enum(["restart-node", "stop-node", "reload-node"]),
    dataflow: id,
    node: id,
  }),
  z.object({
    method: z.literal("set-parameters"),
    dataflow: id,
    node: id,
    set: parameters,
    deleted: z.array(id).max(LIST_MAX),
  }),
  z.object({
    method: z.enum(["connect", "disconnect"]),
    dataflow: id,
    source: output,
    target: input,
  }),
  z.object({ method: z.literal("set-data-format"), dataflow: id, node: id, format: id }),
]);

/** What a coordinator may say. */
export const CoordinatorMessageSchema: z.ZodType<CoordinatorToDaemon> = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("welcome"), machine: z.string().max(ID_LENGTH_MAX) }),
    z.object({ type: z.literal("refused"), message: z.string().max(TEXT_LENGTH_MAX) }),
    z.object({
      type: z.literal("request"),
      id: z.number().int(),
      request: DaemonRequestSchema,
    }),
  ],
);
