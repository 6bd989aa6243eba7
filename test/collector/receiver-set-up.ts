import type { OtlpReceiverOptions } from "../../src/collector/otlp-receiver.ts";
import { MemoryLimiter } from "../../src/collector/memory-limiter.ts";
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/telemetry/logger.ts";
import { RecordingIngest } from "./recording-ingest.ts";

export const MIB = 1024 * 1024;

/** What a receiver is started with: a free port, a recording ingest and room enough. */
export function receiverOptions(
  options: Partial<OtlpReceiverOptions> = {},
): OtlpReceiverOptions & { readonly ingest: RecordingIngest } {
  return {
    host: "127.0.0.1",
    port: 0,
    limiter: new MemoryLimiter({ inFlightBytesMax: 256 * MIB, clock: systemClock }),
    log: silentLogger,
    ...options,
    ingest: new RecordingIngest(),
  };
}
