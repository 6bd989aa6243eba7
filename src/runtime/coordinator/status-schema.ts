import { z } from "zod";
import type { DataflowStatus, FailureSummary, NodeEnd, RuntimeEvent } from "../protocol/status.ts";
import { NODE_STATES } from "../protocol/status.ts";

/** What daemons say of dataflows, and what the API hands on. */

const NAME_LENGTH_MAX = 512;
const TEXT_LENGTH_MAX = 64 * 1024;
const LINES_MAX = 1000;
const NODES_MAX = 10_000;
const LINKS_MAX = 100_000;

const name = z.string().max(NAME_LENGTH_MAX);
const text = z.string().max(TEXT_LENGTH_MAX);
const lines = z.array(text).max(LINES_MAX).readonly();
const number = z.number();
const output = z.object({ node: name, output: name });
const input = z.object({ node: name, input: name });

const NodeStateSchema = z.enum(NODE_STATES);

const NodeEndSchema: z.ZodType<NodeEnd> = z.object({
  exitCode: number.nullable(),
  signal: name.nullable(),
  message: text,
  lastStderr: lines,
  atUnixMs: number,
});

const NodeRatesSchema = z.object({
  inputPerSecond: number,
  outputPerSecond: number,
  inputBytesPerSecond: number,
  outputBytesPerSecond: number,
  latencyP50Ns: number.nullable(),
  latencyP99Ns: number.nullable(),
  handlingP50Ns: number.nullable(),
  queued: number,
  dropped: number,
  errors: number,
});

export const NodeStatusSchema = z.object({
  id: name,
  name,
  state: NodeStateSchema,
  pid: number.nullable(),
  restarts: number,
  rates: NodeRatesSchema,
  cpuCores: number.nullable(),
  memoryBytes: number.nullable(),
  connections: number,
  end: NodeEndSchema.exactOptional(),
});

export const LinkStatusSchema = z.object({
  link: z.string().max(4 * NAME_LENGTH_MAX),
  source: output,
  target: input,
  transport: name,
  messagesPerSecond: number,
});

export const DataflowStatusSchema: z.ZodType<DataflowStatus> = z.object({
  id: name,
  name,
  file: text,
  state: NodeStateSchema,
  startedAtUnixMs: number,
  endedAtUnixMs: number.nullable(),
  machine: name,
  nodes: z.array(NodeStatusSchema).max(NODES_MAX).readonly(),
  links: z.array(LinkStatusSchema).max(LINKS_MAX).readonly(),
});

export const FailureSummarySchema: z.ZodType<FailureSummary> = z.object({
  node: name,
  end: NodeEndSchema,
  tookDown: z.array(name).max(NODES_MAX).readonly(),
});

const atEvent = { atUnixMs: number, dataflow: name };

export const RuntimeEventSchema: z.ZodType<RuntimeEvent> = z.discriminatedUnion("type", [
  z.object({
    ...atEvent,
    type: z.literal("build"),
    node: name,
    linesDone: number,
    linesTotal: number,
    command: text,
    state: z.enum(["building", "done", "failed"]),
    lastStderr: lines.exactOptional(),
    missing: z.object({ name: text, command: text }).exactOptional(),
    elapsedMs: number,
  }),
  z.object({
    ...atEvent,
    type: z.literal("node"),
    node: name,
    state: NodeStateSchema,
    pid: number.exactOptional(),
    end: NodeEndSchema.exactOptional(),
  }),
  z.object({
    ...atEvent,
    type: z.literal("link"),
    link: z.string().max(4 * NAME_LENGTH_MAX),
    state: z.enum(["connecting", "connected", "failed"]),
    elapsedMs: number,
    message: text.exactOptional(),
  }),
  z.object({
    ...atEvent,
    type: z.literal("dataflow"),
    state: NodeStateSchema,
    failure: FailureSummarySchema.exactOptional(),
  }),
]);
