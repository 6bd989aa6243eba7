/**
 * The load of spans: traces of a shop and of a robot, over the day of the logs' load.
 *
 * 1. A trace is a tree of calls: an operation makes calls of other services' operations, one after
 *    the other, within its own time.
 * 2. A request holds the spans of a slice of the day, a group for each service, as a Collector
 *    batches them; a trace lies in one request, save where a request is full.
 * 3. Durations have long tails; an error in a callee often becomes the caller's.
 */
import { LOAD_DAY_UNIX_MS } from "./load.ts";
import { type Attribute, type OtlpSpan, OtlpTraceWriter } from "./otlp-writer.ts";
import { Random } from "./random.ts";

export interface TraceLoadOptions {
  readonly seed: number;
  readonly spanCount: number;
  readonly spansPerRequest: number;
}

/** A span as the tables of the peers hold it. */
export interface SpanRow extends OtlpSpan {
  readonly service: string;
}

export interface TraceLoadRequest {
  /** An `ExportTraceServiceRequest`. */
  readonly body: Uint8Array;
  readonly rows: readonly SpanRow[];
}

export const DEFAULT_TRACE_LOAD: TraceLoadOptions = {
  seed: 1,
  spanCount: 2_000_000,
  spansPerRequest: 2_000,
};

const DAY_MS = 86_400_000;
const INTERNAL = 1;
const SERVER = 2;
const CLIENT = 3;
const STATUS_ERROR = 2;

interface Operation {
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  /** Its own work, without its calls. */
  readonly medianMs: number;
  readonly errorShare: number;
  /** Calls that it makes, each with its likelihood. */
  readonly calls: readonly (readonly [operation: string, share: number])[];
  attributes(random: Random, isError: boolean): readonly Attribute[];
}

const http =
  (method: string, route: string) =>
  (random: Random, isError: boolean): readonly Attribute[] => [
    ["http.request.method", method],
    ["http.route", route],
    ["http.response.status_code", isError ? random.pick([500, 502, 503]) : 200],
    ["server.port", 8080],
  ];
const database =
  (statement: string) =>
  (random: Random): readonly Attribute[] => [
    ["db.system.name", "postgresql"],
    ["db.query.text", statement],
    ["db.response.returned_rows", random.skewed(200)],
  ];
const frame = (random: Random): readonly Attribute[] => [
  ["frame", random.between(1, 2_000_000)],
  ["bytes", random.between(100_000, 400_000)],
];

const OPERATIONS: readonly Operation[] = [
  {
    service: "web-frontend",
    name: "GET /cart",
    kind: SERVER,
    medianMs: 8,
    errorShare: 0.004,
    calls: [
      ["api-gateway GET /api/v1/session", 0.9],
      ["api-gateway GET /api/v1/orders/{id}", 0.8],
    ],
    attributes: http("GET", "/cart"),
  },
  {
    service: "web-frontend",
    name: "POST /checkout",
    kind: SERVER,
    medianMs: 15,
    errorShare: 0.006,
    calls: [["api-gateway POST /api/v1/orders", 1]],
    attributes: http("POST", "/checkout"),
  },
  {
    service: "api-gateway",
    name: "GET /api/v1/session",
    kind: SERVER,
    medianMs: 2,
    errorShare: 0.002,
    calls: [["redis GET", 0.95]],
    attributes: http("GET", "/api/v1/session"),
  },
  {
    service: "api-gateway",
    name: "GET /api/v1/orders/{id}",
    kind: SERVER,
    medianMs: 3,
    errorShare: 0.002,
    calls: [["order-service findOrder", 1]],
    attributes: http("GET", "/api/v1/orders/{id}"),
  },
  {
    service: "api-gateway",
    name: "POST /api/v1/orders",
    kind: SERVER,
    medianMs: 4,
    errorShare: 0.003,
    calls: [
      ["order-service acceptOrder", 1],
      ["inference recommend", 0.4],
    ],
    attributes: http("POST", "/api/v1/orders"),
  },
  {
    service: "order-service",
    name: "findOrder",
    kind: INTERNAL,
    medianMs: 2,
    errorShare: 0.003,
    calls: [
      ["redis GET", 0.6],
      ["postgresql SELECT orders", 0.5],
    ],
    attributes: (random) => [["order.id", random.between(1_000_000, 9_999_999)]],
  },
  {
    service: "order-service",
    name: "acceptOrder",
    kind: INTERNAL,
    medianMs: 6,
    errorShare: 0.01,
    calls: [
      ["postgresql SELECT orders", 0.8],
      ["postgresql INSERT orders", 1],
      ["redis SET", 0.7],
    ],
    attributes: (random) => [["order.id", random.between(1_000_000, 9_999_999)]],
  },
  {
    service: "redis",
    name: "GET",
    kind: CLIENT,
    medianMs: 0.3,
    errorShare: 0.001,
    calls: [],
    attributes: (random) => [
      ["db.system.name", "redis"],
      ["redis.key", `session:${random.skewed(50_000)}`],
    ],
  },
  {
    service: "redis",
    name: "SET",
    kind: CLIENT,
    medianMs: 0.4,
    errorShare: 0.001,
    calls: [],
    attributes: () => [["db.system.name", "redis"]],
  },
  {
    service: "postgresql",
    name: "SELECT orders",
    kind: CLIENT,
    medianMs: 3,
    errorShare: 0.002,
    calls: [],
    attributes: database("SELECT * FROM orders WHERE customer_id = $1"),
  },
  {
    service: "postgresql",
    name: "INSERT orders",
    kind: CLIENT,
    medianMs: 5,
    errorShare: 0.008,
    calls: [],
    attributes: database("INSERT INTO orders (id, total) VALUES ($1, $2)"),
  },
  {
    service: "inference",
    name: "recommend",
    kind: INTERNAL,
    medianMs: 22,
    errorShare: 0.005,
    calls: [],
    attributes: (random) => [
      ["model", `yolo-v${random.between(8, 11)}`],
      ["batch", random.pick([1, 2, 4, 8])],
    ],
  },
  {
    service: "camera-front",
    name: "capture",
    kind: INTERNAL,
    medianMs: 12,
    errorShare: 0.002,
    calls: [["planner detect", 0.98]],
    attributes: frame,
  },
  {
    service: "planner",
    name: "detect",
    kind: INTERNAL,
    medianMs: 18,
    errorShare: 0.004,
    calls: [
      ["planner plan", 0.9],
      ["controller steer", 0.9],
    ],
    attributes: frame,
  },
  {
    service: "planner",
    name: "plan",
    kind: INTERNAL,
    medianMs: 9,
    errorShare: 0.006,
    calls: [],
    attributes: (random) => [["waypoints", random.between(3, 180)]],
  },
  {
    service: "controller",
    name: "steer",
    kind: INTERNAL,
    medianMs: 1,
    errorShare: 0.001,
    calls: [],
    attributes: () => [],
  },
];
const ROOTS: readonly string[] = [
  "web-frontend GET /cart",
  "web-frontend GET /cart",
  "web-frontend POST /checkout",
  "camera-front capture",
  "camera-front capture",
];
const BY_NAME = new Map(OPERATIONS.map((one) => [`${one.service} ${one.name}`, one]));

/** Yields the requests one after the other. The same options give the same bytes. */
export function* generateTraceLoad(options: TraceLoadOptions): Generator<TraceLoadRequest, void> {
  const random = new Random(options.seed);
  const writer = new OtlpTraceWriter();
  const sliceMs = DAY_MS / Math.ceil(options.spanCount / options.spansPerRequest);
  let sliceStartMs = LOAD_DAY_UNIX_MS;
  let waiting: SpanRow[] = [];
  for (let left = options.spanCount; left > 0;) {
    const count = Math.min(left, options.spansPerRequest);
    while (waiting.length < count) {
      const startMs = sliceStartMs + (waiting.length / count) * sliceMs;
      waiting.push(...makeTrace(random, startMs));
    }
    const rows = waiting.slice(0, count);
    waiting = waiting.slice(count);
    yield { body: writer.encodeRequest(groupByService(rows)), rows };
    left -= count;
    sliceStartMs += sliceMs;
  }
}

function groupByService(rows: readonly SpanRow[]): Parameters<OtlpTraceWriter["encodeRequest"]>[0] {
  return [...Map.groupBy(rows, (row) => row.service)].map(([service, items]) => ({
    resource: [
      ["service.name", service],
      ["service.version", `1.${service.length}.0`],
      ["host.name", `edge-${service.length % 7}`],
    ],
    scopeName: `${service}.tracer`,
    items,
  }));
}

interface Call {
  readonly traceId: string;
  readonly parentSpanId: string;
  readonly startNs: bigint;
}

function makeTrace(random: Random, startMs: number): readonly SpanRow[] {
  const rows: SpanRow[] = [];
  const startNs = BigInt(Math.floor(startMs)) * 1_000_000n + BigInt(random.between(0, 999_999));
  const call = { traceId: random.hex(32), parentSpanId: "", startNs };
  addCall(random, random.pick(ROOTS), call, rows);
  return rows;
}

/** Adds the span of a call and those below it; gives how it ended. */
function addCall(
  random: Random,
  name: string,
  { traceId, parentSpanId, startNs }: Call,
  rows: SpanRow[],
): { readonly endNs: bigint; readonly isError: boolean } {
  const operation = BY_NAME.get(name);
  if (operation === undefined) throw new Error(`no operation is called ${name}`);
  const spanId = random.hex(16);
  const ownNs = BigInt(Math.ceil(random.longTailed(operation.medianMs) * 1e6));
  let isError = random.chance(operation.errorShare);
  let atNs = startNs + ownNs / 2n;
  for (const [callee, share] of operation.calls) {
    if (!random.chance(share)) continue;
    const ended = addCall(random, callee, { traceId, parentSpanId: spanId, startNs: atNs }, rows);
    atNs = ended.endNs;
    isError ||= ended.isError && random.chance(0.7);
  }
  const endNs = atNs + ownNs / 2n;
  rows.push({
    traceId,
    spanId,
    parentSpanId,
    name: operation.name,
    kind: operation.kind,
    startUnixNs: startNs,
    endUnixNs: endNs,
    statusCode: isError ? STATUS_ERROR : 0,
    statusMessage: isError ? "upstream failed" : "",
    attributes: [
      ...operation.attributes(random, isError),
      ...(isError ? ([["error.type", random.pick(ERROR_TYPES)]] as const) : []),
    ],
    service: operation.service,
  });
  return { endNs, isError };
}

const ERROR_TYPES = ["timeout", "connection_refused", "500", "java.sql.SQLException"];
