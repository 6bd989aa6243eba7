import type { TestContext } from "vitest";
import { z } from "zod";
import type { LogEntry } from "../../src/core/entry.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { SignalCounters } from "../../src/log-store/ingest.ts";
import type { LogStore, SearchBatch, SearchEnd } from "../../src/log-store/log-store.ts";
import type { ApiStore } from "../../src/server/api-context.ts";
import type { ApiServerOptions } from "../../src/server/api-server.ts";
import { ApiServer } from "../../src/server/api-server.ts";
import { createLogger } from "../../src/telemetry/logger.ts";

/**
 * A store whose answers a test writes itself, for what a real one does not do on command: fail in
 * the middle, stand still, never end.
 */
export function scriptedStore(script: Partial<LogStore> = {}): ApiStore {
  return {
    search: async function* () {
      yield* [];
      return COMPLETE;
    },
    aggregate: async () => ({ ...COMPLETE, rows: [] }),
    follow: async function* () {
      yield* [];
    },
    counters: () => ({ logs: NOTHING, traces: NOTHING, metrics: NOTHING }),
    ...script,
  };
}

export const COMPLETE: SearchEnd = {
  status: "complete",
  reasons: [],
  scannedBytes: 0,
  scannedRows: 0,
};

const NOTHING: SignalCounters = {
  received: 0,
  stored: 0,
  rejected: 0,
  filtered: 0,
  deduplicated: 0,
  dropped: 0,
  pending: 0,
  expired: 0,
  damaged: 0,
};

/** A log entry with only what a test looks at said. */
export function logEntry(overrides: Partial<LogEntry> = {}): LogEntry {
  return {
    timestamp: "2025-01-07T20:34:06.298518Z",
    level: "ERROR",
    node: "Node B",
    message: "Connection timeout.",
    trace_id: "",
    span_id: "",
    dataflow: "",
    logger: "",
    event_name: "",
    severity_number: 17,
    severity_text: "",
    observed_timestamp: "2025-01-07T20:34:06.298518Z",
    trace_flags: 0,
    seq: 0,
    attributes: {},
    resource: {},
    ...overrides,
  };
}

export function batchOf(entries: readonly LogEntry[]): SearchBatch {
  return {
    lines: Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join("")),
    count: entries.length,
    cursor: `c${entries.at(-1)?.seq ?? ""}`,
  };
}

export interface RunningApi {
  readonly server: ApiServer;
  readonly url: string;
  /** Messages of warnings and errors that the API logged. */
  readonly logged: readonly string[];
}

/** Starts an API over a store on a free port; it is closed when the test ends. */
export async function startApi(
  onTestFinished: TestContext["onTestFinished"],
  options: Partial<ApiServerOptions> = {},
): Promise<RunningApi> {
  const logged: string[] = [];
  const log = createLogger({
    level: "warn",
    sinks: [{ emit: ({ message }) => void logged.push(message) }],
  });
  const server = await ApiServer.start({
    host: "127.0.0.1",
    port: 0,
    store: scriptedStore(),
    metrics: {
      renderMetrics: async (accept) => ({ contentType: "text/plain", body: `for ${accept}\n` }),
    },
    clock: systemClock,
    log,
    isReady: () => true,
    service: () => ({ version: "1.2.3", uptimeMs: 1234.5, listening: { api: "here" } }),
    ...options,
  });
  onTestFinished(() => server.close(0));
  return { server, url: server.url, logged };
}

const REFUSED = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    hint: z.string(),
    position: z.number().optional(),
  }),
});

/** The error of an answer, with its status. */
export async function refusal(
  response: Response,
): Promise<z.output<typeof REFUSED>["error"] & { readonly status: number }> {
  return { ...REFUSED.parse(await response.json()).error, status: response.status };
}
