import { z } from "zod";
import type { DaemonToCoordinator } from "../protocol/daemon-messages.ts";
import { RUNNING_MAX } from "./limits.ts";
import { DataflowStatusSchema, RuntimeEventSchema } from "./status-schema.ts";

/** By which people know a machine: shown in tables, written to files. */
const machine = z.string().regex(/^[\w.-]{1,253}$/, "a machine's name has letters, digits, . _ -");
const dataflows = z.array(DataflowStatusSchema).max(RUNNING_MAX).readonly();
const id = z.number().int();

/** What a daemon may say. */
export const DaemonMessageSchema: z.ZodType<DaemonToCoordinator> = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    protocol: z.number(),
    machine,
    version: z.string().max(100),
    pid: z.number().int(),
    dataflows,
  }),
  z.object({ type: z.literal("reply"), id, result: z.unknown() }),
  z.object({
    type: z.literal("reply-error"),
    id,
    code: z.string().max(100),
    message: z.string().max(1024 * 1024),
  }),
  z.object({ type: z.literal("event"), event: RuntimeEventSchema }),
  z.object({ type: z.literal("status"), dataflows }),
]);
