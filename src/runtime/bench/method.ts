/**
 * What the sender, the receiver and who runs them agree on: the method of `dora bench`, after
 * dora-rs's dora-benchmark. docs/cli.md ("dora bench") tells it to users.
 */
import { z } from "zod";
import { AppError } from "../../core/errors.ts";

/** dora-benchmark's ten, in bytes. */
export const SIZES = [8, 64, 512, 2048, 4096, 16_384, 40_960, 409_600, 4_096_000, 40_960_000];
/** Timed messages of each size. */
export const MESSAGES = 100;
/** Untimed ones before them, so that neither the compiler's work nor fresh memory is measured. */
export const WARM_UP_MESSAGES = 20;
/** Between one message's arrival and the next one, where latency is measured: both ends sleep. */
export const PACE_MS = 5;
/** A message whose arrival is not told for so long counts as lost. */
export const ARRIVAL_TIMEOUT_MS = 10_000;
/** The environment variable that hands a plan to the nodes, as JSON. */
export const PLAN_VARIABLE = "DORA_BENCH_PLAN";

export type Mode = "latency" | "throughput";

const Plan = z.object({
  mode: z.enum(["latency", "throughput"]),
  /** Measured one after the other. */
  steps: z.array(z.object({ sizeBytes: z.number(), messages: z.number() })),
});
export type Plan = z.infer<typeof Plan>;

/** What is sent along with each message. Times are of the machine's monotonic clock. */
export const Stamp = z.object({
  step: z.number(),
  /** Below 0 for a message of the warm-up. */
  index: z.number(),
  sentNs: z.number(),
  /** Whether the receiver is to tell of its arrival. */
  tell: z.boolean(),
});
export type Stamp = z.infer<typeof Stamp>;

export const StepResult = z.object({
  step: z.number(),
  /** Each counted once, though it arrived twice. */
  received: z.number(),
  p50Us: z.number(),
  p95Us: z.number(),
  p99Us: z.number(),
  p999Us: z.number(),
  /** From before the first send until the last arrival. */
  seconds: z.number(),
});
export type StepResult = z.infer<typeof StepResult>;

/** Nanoseconds of a clock that all processes of the machine share. */
export function nowNs(): number {
  return Number(process.hrtime.bigint());
}

/** The plan that this node was started with. Errors: `BENCH_FAILED`. */
export function readPlan(): Plan {
  const text = process.env[PLAN_VARIABLE];
  if (text !== undefined) return Plan.parse(JSON.parse(text));
  throw new AppError("BENCH_FAILED", `${PLAN_VARIABLE} is not set: nodes of \`dora bench\` only`);
}

/** The value below which a share of them lies, by the nearest rank; 0 where there are none. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
