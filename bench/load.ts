/**
 * The load: requests as a Collector in front of many services would send them, over one day.
 *
 * 1. A request covers one slice of the day. It takes a handful of instances, each application by its
 *    weight; now and then one is in an incident, logs ten times as much and mostly errors.
 * 2. Each instance's records are in the order of their time, with jitter; the instances of a request
 *    overlap in time.
 * 3. Half of the records carry a trace id, each trace some eight records of several services.
 */
import { APPLICATIONS, type Application, type Severity } from "./applications.ts";
import { type Attribute, type OtlpLog, type OtlpLogGroup, OtlpLogWriter } from "./otlp-writer.ts";
import { Random } from "./random.ts";

export interface LoadOptions {
  readonly seed: number;
  readonly recordCount: number;
  readonly recordsPerRequest: number;
}

export interface LoadRequest {
  /** An `ExportLogsServiceRequest`. */
  readonly body: Uint8Array;
  readonly rows: readonly LoadRow[];
}

/** A record as the tables of the peers hold it. */
export interface LoadRow extends OtlpLog {
  readonly node: string;
  readonly host: string;
  readonly logger: string;
}

export const DEFAULT_LOAD: LoadOptions = {
  seed: 1,
  recordCount: 2_000_000,
  recordsPerRequest: 2_000,
};

/** Midnight, UTC, of the day that the load covers: 2026-06-01. */
export const LOAD_DAY_UNIX_MS = Date.UTC(2026, 5, 1);
const DAY_MS = 86_400_000;
const INCIDENT_SHARE = 0.004;
const TRACES_OPEN = 48;
const INSTANCES_PER_REQUEST_MAX = 10;

const SEVERITY_NUMBERS: { readonly [name in Severity]: number } = {
  DEBUG: 5,
  INFO: 9,
  WARN: 13,
  ERROR: 17,
  FATAL: 21,
};

/** Yields the requests one after the other. The same options give the same bytes. */
export function* generateLoad(options: LoadOptions): Generator<LoadRequest, void> {
  const random = new Random(options.seed);
  const writer = new OtlpLogWriter();
  const traces = new OpenTraces(random);
  const sliceMs = DAY_MS / Math.ceil(options.recordCount / options.recordsPerRequest);
  let sliceStartMs = LOAD_DAY_UNIX_MS;
  for (let left = options.recordCount; left > 0;) {
    const count = Math.min(left, options.recordsPerRequest);
    const groups = makeGroups(random, traces, { count, sliceStartMs, sliceMs });
    const rows = groups.flatMap((group) => group.logs);
    yield { body: writer.encodeRequest(groups), rows };
    left -= count;
    sliceStartMs += sliceMs;
  }
}

interface Slice {
  readonly count: number;
  readonly sliceStartMs: number;
  readonly sliceMs: number;
}

interface LoadGroup extends OtlpLogGroup {
  readonly logs: readonly LoadRow[];
}

function makeGroups(random: Random, traces: OpenTraces, slice: Slice): readonly LoadGroup[] {
  const instances = pickInstances(random);
  const shares = instances.map((instance) => (instance.isIncident ? 10 : 0.3 + random.unit()));
  const total = shares.reduce((sum, share) => sum + share, 0);
  let left = slice.count;
  return instances.map((instance, index) => {
    const isLast = index === instances.length - 1;
    const share = (shares[index] ?? 0) / total;
    const count = isLast ? left : Math.min(left, Math.round(slice.count * share));
    left -= count;
    return makeGroup(random, traces, { ...slice, count, instance });
  });
}

interface Instance {
  readonly application: Application;
  readonly index: number;
  readonly isIncident: boolean;
}

const WEIGHTED: readonly Application[] = APPLICATIONS.flatMap((application) =>
  Array.from({ length: application.weight }, () => application),
);

function pickInstances(random: Random): readonly Instance[] {
  const chosen = new Map<string, Instance>();
  const count = random.between(INSTANCES_PER_REQUEST_MAX / 2, INSTANCES_PER_REQUEST_MAX);
  while (chosen.size < count) {
    const application = random.pick(WEIGHTED);
    const index = random.between(0, application.instanceCount - 1);
    const isIncident = random.chance(INCIDENT_SHARE);
    chosen.set(`${application.scopeName} ${index}`, { application, index, isIncident });
  }
  return [...chosen.values()];
}

function makeGroup(
  random: Random,
  traces: OpenTraces,
  slice: Slice & { readonly instance: Instance },
): LoadGroup {
  const { application, index, isIncident } = slice.instance;
  const nodeId = application.nodeIds[index];
  const node = nodeId ?? application.serviceName;
  const host = `${nodeId === undefined ? "edge" : "robot"}-${(index * 7 + application.weight) % 20}`;
  const pid = 300 + ((index * 7919 + application.scopeName.length * 104_729) % 32_000);
  const errorShare = isIncident ? application.incidentErrorShare : application.errorShare;
  const logs: LoadRow[] = [];
  for (let position = 0; position < slice.count; position++) {
    const offsetMs = ((position + random.unit()) / slice.count) * slice.sliceMs;
    const { severity, body, attributes } = random.chance(errorShare)
      ? application.error(random, pid)
      : application.ok(random, pid);
    const trace = random.chance(application.tracedShare) ? traces.take() : NO_TRACE;
    logs.push({
      timeUnixNs: toUnixNs(slice.sliceStartMs + offsetMs, random),
      severityNumber: SEVERITY_NUMBERS[severity],
      severityText: severity,
      body,
      attributes,
      ...trace,
      node,
      host,
      logger: application.scopeName,
    });
  }
  return {
    resource: makeResource(application, { index, host, pid }),
    scopeName: application.scopeName,
    logs,
  };
}

/** Sources log with different clocks: nanoseconds, microseconds and milliseconds all occur. */
function toUnixNs(unixMs: number, random: Random): bigint {
  const wholeMs = Math.floor(unixMs);
  const restNs =
    Math.floor((unixMs - wholeMs) * 1_000) * 1_000 +
    (random.chance(0.4) ? random.between(0, 999) : 0);
  return BigInt(wholeMs) * 1_000_000n + BigInt(restNs);
}

function makeResource(
  application: Application,
  place: { readonly index: number; readonly host: string; readonly pid: number },
): readonly Attribute[] {
  const nodeId = application.nodeIds[place.index];
  return [
    ["service.name", application.serviceName],
    ["service.instance.id", `${application.serviceName}-${place.index}`],
    ["service.version", `1.${application.weight}.${place.index}`],
    ["host.name", place.host],
    ["process.pid", place.pid],
    ...(nodeId === undefined
      ? []
      : ([
          ["dora.node.id", nodeId],
          ["dora.dataflow.name", "patrol"],
        ] as const)),
  ];
}

interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
}

const NO_TRACE: TraceContext = { traceId: "", spanId: "" };

/** The traces that are going on; one ends and another begins after some eight records. */
class OpenTraces {
  readonly #random: Random;
  readonly #open: TraceContext[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  take(): TraceContext {
    const index = this.#random.between(0, TRACES_OPEN - 1);
    const known = this.#open[index];
    const isNew = known === undefined || this.#random.chance(1 / 8);
    const traceId = isNew ? this.#random.hex(32) : known.traceId;
    const spanId = isNew || this.#random.chance(0.4) ? this.#random.hex(16) : known.spanId;
    const context = { traceId, spanId };
    this.#open[index] = context;
    return context;
  }
}
