import { Counter, Gauge, Registry } from "@prometheus-io/client";
import type { Signal } from "../core/record.ts";
import { SIGNALS } from "../core/record.ts";
import type { SelfLogDrops } from "./self-log.ts";

/** What became of the records of one signal; the store's law. */
export interface RecordCounts {
  readonly received: number;
  readonly stored: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly deduplicated: number;
  readonly dropped: number;
  readonly pending: number;
  readonly expired: number;
  readonly damaged: number;
}

/** Where the figures are read from, at each scrape. */
export interface MetricsSources {
  readonly version: string;
  readonly startedUnixMs: number;
  counts(): Readonly<Record<Signal, RecordCounts>>;
  requests(): readonly {
    readonly transport: string;
    readonly outcome: string;
    readonly count: number;
  }[];
  inFlightBytes(): number;
  selfLogDrops(): SelfLogDrops;
  store(): StoreSizes;
}

/** What the store holds. */
interface StoreSizes {
  readonly segments: number;
  readonly segmentBytes: number;
  readonly journalBytes: number;
  readonly unsealedRows: number;
  readonly unsealedBytes: number;
  readonly merges: {
    readonly isUnderWay: boolean;
    readonly isDue: boolean;
    readonly doneCount: number;
    readonly rows: number;
    readonly bytes: number;
    readonly seconds: number;
    readonly failedCount: number;
    readonly givenUpCount: number;
  };
}

/** A rendered exposition. */
export interface RenderedMetrics {
  readonly contentType: string;
  readonly body: string;
}

/**
 * The service's own metrics, in the Prometheus text format 0.0.4 and in OpenMetrics 1.0.0.
 *
 * Two registries, because the client fixes the format of one (PRM-001). Nothing is counted here:
 * every figure is read from its source when it is asked for, so it cannot differ from it.
 */
export class ServiceMetrics {
  readonly #text = new Registry(Registry.PROMETHEUS_CONTENT_TYPE);
  readonly #openMetrics = new Registry(Registry.OPENMETRICS_CONTENT_TYPE);

  constructor(sources: MetricsSources) {
    define(this.#text, sources);
    define(this.#openMetrics, sources);
  }

  /**
   * Renders all metrics in the format that an `Accept` header asks for, the text format where it
   * asks for neither.
   */
  async renderMetrics(accept: string | undefined): Promise<RenderedMetrics> {
    const registry = prefersOpenMetrics(accept) ? this.#openMetrics : this.#text;
    return { contentType: registry.contentType, body: await registry.metrics() };
  }
}

/**
 * True where an `Accept` header takes OpenMetrics 1.0.0 rather than text.
 *
 * Source: Prometheus content negotiation: the types and versions with their quality values; a
 * scraper that names no version of OpenMetrics takes 1.0.0.
 */
export function prefersOpenMetrics(accept: string | undefined): boolean {
  let openMetrics = 0;
  let text = 0;
  for (const part of (accept ?? "").split(",")) {
    const [type = "", ...parameters] = part.split(";").map((item) => item.trim().toLowerCase());
    const values = new Map(parameters.map(splitParameter));
    const quality = Math.min(1, Math.max(0, Number(values.get("q") ?? 1) || 0));
    const version = values.get("version");
    if (type === "application/openmetrics-text" && (version === undefined || version === "1.0.0")) {
      openMetrics = Math.max(openMetrics, quality);
    }
    if (type === "text/plain" && (version === undefined || version === "0.0.4")) {
      text = Math.max(text, quality);
    }
  }
  return openMetrics > 0 && openMetrics >= text;
}

function splitParameter(parameter: string): readonly [string, string] {
  const [key = "", value = ""] = parameter.split("=", 2);
  return [key.trim(), value.trim().replaceAll('"', "")];
}

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Definition {
  /** With `_total` where it is a counter, and the unit before that (PRM-002). */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly read: () => readonly Sample[];
}

/** Of each record count its metric, which is a gauge where it may fall. */
const RECORD_METRICS = [
  ["received", "dora_records_received_total", "Records received."],
  ["stored", "dora_records_stored_total", "Records stored."],
  ["rejected", "dora_records_rejected_total", "Records rejected, as too large or not valid."],
  ["filtered", "dora_records_filtered_total", "Records that a processor filtered."],
  ["deduplicated", "dora_records_deduplicated_total", "Records of retries of stored requests."],
  ["dropped", "dora_records_dropped_total", "Records lost before they were on disk."],
  ["pending", "dora_records_pending", "Records received and not yet on disk."],
  ["expired", "dora_records_expired_total", "Stored records that retention removed."],
  ["damaged", "dora_records_damaged_total", "Stored records in files found damaged."],
] as const satisfies readonly (readonly [keyof RecordCounts, string, string])[];

function define(registry: Registry, sources: MetricsSources): void {
  const definitions = [
    ...recordDefinitions(sources),
    ...serviceDefinitions(sources),
    ...storeDefinitions(sources),
    ...mergeDefinitions(sources),
    ...processDefinitions(sources),
  ];
  for (const { name, help, labels = [], read } of definitions) {
    const common = { name, help, labelNames: [...labels], registers: [registry] };
    if (name.endsWith("_total")) {
      const counter: Counter<string> = new Counter({
        ...common,
        collect: () => {
          counter.reset();
          for (const sample of read()) counter.inc({ ...sample.labels }, sample.value);
        },
      });
    } else {
      const gauge: Gauge<string> = new Gauge({
        ...common,
        collect: () => {
          gauge.reset();
          for (const sample of read()) gauge.set({ ...sample.labels }, sample.value);
        },
      });
    }
  }
}

function recordDefinitions(sources: MetricsSources): readonly Definition[] {
  return RECORD_METRICS.map(([key, name, help]) => ({
    name,
    help,
    labels: ["signal"],
    read: () => {
      const counts = sources.counts();
      return SIGNALS.map((signal) => ({ labels: { signal }, value: counts[signal][key] }));
    },
  }));
}

function serviceDefinitions(sources: MetricsSources): readonly Definition[] {
  return [
    {
      name: "dora_requests_total",
      help: "Requests of the OTLP receivers, by what became of them.",
      labels: ["transport", "outcome"],
      read: () =>
        sources.requests().map(({ transport, outcome, count }) => {
          return { labels: { transport, outcome }, value: count };
        }),
    },
    {
      name: "dora_requests_refused_total",
      help: "Requests whose records were not received, by reason.",
      labels: ["reason"],
      read: () => refusals(sources),
    },
    {
      name: "dora_memory_in_flight_bytes",
      help: "Bytes of requests that are being received.",
      read: () => single(sources.inFlightBytes()),
    },
    {
      name: "dora_self_log_dropped_total",
      help: "The service's own log records that were not stored, by reason.",
      labels: ["reason"],
      read: () =>
        Object.entries(sources.selfLogDrops()).map(([reason, value]) => {
          return { labels: { reason }, value: Number(value) };
        }),
    },
    {
      name: "dora_build_info",
      help: "1, with the version as a label.",
      labels: ["version", "node_version"],
      read: () => [
        { labels: { version: sources.version, node_version: process.versions.node }, value: 1 },
      ],
    },
  ];
}

function storeDefinitions(sources: MetricsSources): readonly Definition[] {
  return [
    {
      name: "dora_store_segments",
      help: "Segments of the log store.",
      read: () => single(sources.store().segments),
    },
    {
      name: "dora_store_bytes",
      help: "Bytes on disk, by part of the log store.",
      labels: ["part"],
      read: () => {
        const { segmentBytes, journalBytes } = sources.store();
        return [
          { labels: { part: "segments" }, value: segmentBytes },
          { labels: { part: "journal" }, value: journalBytes },
        ];
      },
    },
    {
      name: "dora_store_unsealed_records",
      help: "Records in memory and in the journal that are in no segment yet.",
      read: () => single(sources.store().unsealedRows),
    },
    {
      name: "dora_store_unsealed_bytes",
      help: "Memory of these records.",
      read: () => single(sources.store().unsealedBytes),
    },
  ];
}

function mergeDefinitions(sources: MetricsSources): readonly Definition[] {
  const counters = [
    ["dora_store_merges_total", "Merges of segments that were done.", "doneCount"],
    ["dora_store_merges_failed_total", "Merges that failed and are tried again.", "failedCount"],
    ["dora_store_merges_given_up_total", "Merges of damaged or expired segments.", "givenUpCount"],
    ["dora_store_merged_records_total", "Records of merged segments, each time.", "rows"],
    ["dora_store_merged_bytes_total", "Bytes of merged segments, each time.", "bytes"],
    ["dora_store_merge_seconds_total", "Time that merges took.", "seconds"],
  ] as const;
  return [
    ...counters.map(([name, help, key]) => ({
      name,
      help,
      read: () => single(sources.store().merges[key]),
    })),
    {
      name: "dora_store_merges_waiting",
      help: "1 while a merge is due or under way.",
      read: () => {
        const { isDue, isUnderWay } = sources.store().merges;
        return single(isDue || isUnderWay ? 1 : 0);
      },
    },
  ];
}

function refusals(sources: MetricsSources): readonly Sample[] {
  const byReason = new Map<string, number>();
  for (const { outcome, count } of sources.requests()) {
    if (outcome !== "stored") byReason.set(outcome, (byReason.get(outcome) ?? 0) + count);
  }
  return [...byReason].map(([reason, value]) => ({ labels: { reason }, value }));
}

/** The client's own process metrics need an event loop monitor that costs half a per cent of a core. */
function processDefinitions(sources: MetricsSources): readonly Definition[] {
  return [
    {
      name: "dora_process_cpu_seconds_total",
      help: "CPU time of the process, all threads, user and system.",
      read: () => {
        const { user, system } = process.cpuUsage();
        return single((user + system) / 1e6);
      },
    },
    {
      name: "dora_process_resident_memory_bytes",
      help: "Resident memory of the process.",
      read: () => single(process.memoryUsage.rss()),
    },
    {
      name: "dora_process_heap_bytes",
      help: "JavaScript heap of the main thread in use.",
      read: () => single(process.memoryUsage().heapUsed),
    },
    {
      name: "dora_process_start_time_seconds",
      help: "Start of the process, Unix time.",
      read: () => single(sources.startedUnixMs / 1000),
    },
  ];
}

function single(value: number): readonly Sample[] {
  return [{ labels: {}, value }];
}
