/** The messages of docs/proto/dora/dataflow/v1/dataflow.proto, in protobuf's JSON form but for payloads and 64-bit numbers' types. */
import { z } from "zod";
import type { Parameters } from "../protocol/node-messages.ts";

/** Of one task's payload. */
export const TASK_BYTES_MAX = 64 * 1024 * 1024;
/** What may stand beside the payload: metadata, trace, names. */
export const TASK_HEAD_BYTES_MAX = 256 * 1024;
export const WINDOW_MAX = 1024;
const PART_BYTES_MIN = 64 * 1024;
/** With metadata of 64 KiB it is within the 4 MiB that gRPC libraries take unless told otherwise. */
const PART_BYTES_DEFAULT = 3 * 1024 * 1024;
const NAME_LENGTH_MAX = 1024;
const LIST_MAX = 10_000;

const name = z.string().max(NAME_LENGTH_MAX);
const trace = z.string().max(4096).default("");
const scalar = z.union([z.boolean(), z.number(), z.string()]);
/** What may stand in it, the node library checks, which names the key. */
const metadata = z.record(z.string(), z.union([scalar, z.array(scalar)])).default({});

export const TaskSchema = z.object({
  output: name,
  payload: z.instanceof(Uint8Array).default(() => new Uint8Array(0)),
  metadata,
  encoding: z.enum(["ENCODING_BYTES", "ENCODING_ARROW", "ENCODING_NONE"]).default("ENCODING_BYTES"),
  traceparent: trace,
  tracestate: trace,
});

const HelloSchema = z.object({
  window: z
    .int()
    .min(0)
    .max(WINDOW_MAX)
    .default(0)
    .transform((window) => (window === 0 ? 1 : window)),
  partBytes: z
    .int()
    .default(0)
    .transform((bytes) => (bytes === 0 ? PART_BYTES_DEFAULT : bytes))
    .pipe(z.int().min(PART_BYTES_MIN).max(TASK_BYTES_MAX)),
});

/** Exactly one of them is there. */
export const UpdateRequestSchema = z.object({
  hello: HelloSchema.optional(),
  handled: z
    .object({
      event: z.union([z.string().max(20), z.int()]).transform(String),
      failed: z.boolean().default(false),
    })
    .optional(),
  task: TaskSchema.optional(),
  closeOutputs: z.object({ outputs: z.array(name).max(LIST_MAX).default([]) }).optional(),
  log: z
    .object({
      level: z.enum(["trace", "debug", "info", "warn", "error", "fatal"]),
      message: z.string().default(""),
      attributes: z.record(z.string(), z.unknown()).default({}),
      traceparent: trace,
    })
    .optional(),
  finish: z.object({}).optional(),
});

export type Task = z.infer<typeof TaskSchema>;
export type Hello = z.infer<typeof HelloSchema>;
export type UpdateRequest = z.infer<typeof UpdateRequestSchema>;

export type Update =
  | {
      readonly welcome: {
        readonly dataflowId: string;
        readonly dataflowName: string;
        readonly nodeId: string;
        readonly nodeName: string;
        readonly inputs: readonly string[];
        readonly outputs: readonly string[];
        readonly parameters: Parameters;
      };
    }
  | { readonly input: Input }
  | { readonly part: object }
  | { readonly inputClosed: { readonly id: string; readonly reason: string } }
  | { readonly inputRecovered: { readonly id: string } }
  | { readonly stop: { readonly reason: string; readonly graceMs: number } }
  | {
      readonly parametersChanged: {
        readonly set: Parameters;
        readonly deleted: readonly string[];
        readonly parameters: Parameters;
      };
    }
  | { readonly reload: object }
  | {
      readonly nodeFailed: {
        readonly node: string;
        readonly inputs: readonly string[];
        readonly message: string;
      };
    }
  | { readonly nodeRestarted: { readonly node: string } }
  | { readonly fault: { readonly message: string; readonly input: string } }
  | { readonly failed: { readonly code: string; readonly message: string } };

/** 64-bit numbers are decimal text, as in protobuf's JSON form. */
export interface Input {
  readonly event: string;
  readonly id: string;
  readonly payloadBytes: string;
  readonly encoding: Task["encoding"];
  readonly metadata: Parameters;
  readonly traceparent: string;
  readonly tracestate: string;
  readonly sentUnixNs: string;
  readonly topic: string;
}
