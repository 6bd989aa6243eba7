import { z } from "zod";
import {
  DataflowStatusSchema,
  FailureSummarySchema,
  LinkStatusSchema,
  NodeStatusSchema,
  RuntimeEventSchema,
} from "./status-schema.ts";
import type { DaemonStatus, DataflowAnswer } from "./coordinator.ts";

/** What the API answers, before its keys are put into snake_case. */

export const DataflowAnswerSchema: z.ZodType<DataflowAnswer> = z.intersection(
  DataflowStatusSchema,
  z.object({ failure: FailureSummarySchema.exactOptional(), isDaemonConnected: z.boolean() }),
);

export const DataflowListSchema = z.object({ dataflows: z.array(DataflowAnswerSchema) });

export const NodeListSchema = z.object({ nodes: z.array(NodeStatusSchema) });

export const LinkListSchema = z.object({ links: z.array(LinkStatusSchema) });

export const DaemonListSchema = z.object({
  daemons: z.array(
    z.object({
      machine: z.string(),
      version: z.string(),
      pid: z.number(),
      connectedAtUnixMs: z.number(),
      dataflows: z.number(),
    }) satisfies z.ZodType<DaemonStatus>,
  ),
});

export const BuildSchema = z.object({ id: z.string() });

export const HealthSchema = z.object({
  status: z.literal("ok"),
  service: z.literal("dora-coordinator"),
  version: z.string(),
  pid: z.number(),
});

/** What the stream of events sends. */
export const StreamFrameSchema = z.discriminatedUnion("type", [
  /** First: from here on nothing is missed. */
  z.object({ type: z.literal("welcome"), version: z.string() }),
  z.object({ type: z.literal("event"), event: RuntimeEventSchema }),
  /** Of all that run, each second. */
  z.object({ type: z.literal("status"), dataflows: z.array(DataflowAnswerSchema) }),
]);
export type StreamFrame = z.output<typeof StreamFrameSchema>;
