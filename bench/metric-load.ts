/**
 * The load of metrics: a day of points, each series one every ten seconds.
 *
 * 1. An instance is a process with the series of `SERIES`; all of its points of one moment stand in
 *    one group of a request, as an SDK exports them.
 * 2. Values are as instruments give them: counts and bytes are whole, shares and temperatures have
 *    one to three decimals; counters and histograms are cumulative.
 */
import { LOAD_DAY_UNIX_MS } from "./load.ts";
import {
  type Attribute,
  type OtlpGroup,
  type OtlpHistogram,
  type OtlpMetric,
  type OtlpPoint,
  OtlpMetricWriter,
} from "./otlp-writer.ts";
import { Random } from "./random.ts";

export interface MetricLoadOptions {
  readonly seed: number;
  readonly instanceCount: number;
  /** Points of each series. */
  readonly momentCount: number;
  readonly momentsPerRequest: number;
  /** Whether there are histograms, whose sums and counts are random by nature. */
  readonly hasHistograms: boolean;
}

/** A data point as the tables of the peers hold it. */
export interface PointRow extends OtlpPoint {
  readonly service: string;
  readonly metric: string;
}

export interface MetricLoadRequest {
  /** An `ExportMetricsServiceRequest`. */
  readonly body: Uint8Array;
  readonly rows: readonly PointRow[];
}

/** 20 x 12 series, 8,640 points each: 2,073,600 points. */
export const DEFAULT_METRIC_LOAD: MetricLoadOptions = {
  seed: 1,
  instanceCount: 20,
  momentCount: 8_640,
  momentsPerRequest: 8,
  hasHistograms: true,
};

const INTERVAL_MS = 10_000;
const BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Series {
  readonly name: string;
  readonly unit: string;
  readonly kind: OtlpMetric["kind"];
  readonly attributes: readonly Attribute[];
  readonly isInteger: boolean;
  /** The next value after `last`; a histogram's is a duration that it counts, in seconds. */
  next(random: Random, last: number): number;
}

/** A value that wanders between two bounds, by steps of 10 to the minus `decimals`. */
function gauge(
  name: string,
  unit: string,
  { min, max, decimals }: { readonly min: number; readonly max: number; readonly decimals: number },
): Series {
  return {
    name,
    unit,
    kind: "gauge",
    attributes: [],
    isInteger: decimals === 0,
    next: (random, last) => {
      const middle = last === 0 ? (min + max) / 2 : last;
      const moved = middle + (random.unit() - 0.5) * 0.1 * (max - min);
      return Number(Math.min(max, Math.max(min, moved)).toFixed(decimals));
    },
  };
}

function counter(
  name: string,
  unit: string,
  attributes: readonly Attribute[],
  step: (random: Random) => number,
): Series {
  const next = (random: Random, last: number): number => last + step(random);
  return { name, unit, kind: "counter", attributes, isInteger: true, next };
}

function histogram(name: string, attributes: readonly Attribute[], medianSeconds: number): Series {
  const next = (random: Random): number => random.longTailed(medianSeconds);
  return { name, unit: "s", kind: "histogram", attributes, isInteger: false, next };
}

const SERIES: readonly Series[] = [
  gauge("process.cpu.utilization", "1", { min: 0, max: 1, decimals: 3 }),
  {
    ...gauge("process.memory.usage", "By", { min: 200e6, max: 900e6, decimals: 0 }),
    next: (random, last) =>
      last === 0 || random.chance(0.3) ? 4_096 * random.between(50_000, 200_000) : last,
  },
  gauge("queue.depth", "{message}", { min: 0, max: 200, decimals: 0 }),
  gauge("device.temperature", "Cel", { min: 30, max: 90, decimals: 1 }),
  gauge("device.battery", "%", { min: 10, max: 100, decimals: 1 }),
  gauge("camera.rate", "{frame}/s", { min: 24, max: 60, decimals: 1 }),
  counter("network.io", "By", [["network.io.direction", "receive"]], (random) =>
    random.between(10_000, 4_000_000),
  ),
  counter("network.io", "By", [["network.io.direction", "transmit"]], (random) =>
    random.between(1_000, 400_000),
  ),
  counter("frames.dropped", "{frame}", [], (random) => (random.chance(0.05) ? 1 : 0)),
  counter("messages.sent", "{message}", [["output", "image"]], (random) =>
    random.between(240, 600),
  ),
  histogram(
    "http.server.request.duration",
    [
      ["http.request.method", "GET"],
      ["http.route", "/api/v1/orders/{id}"],
    ],
    0.035,
  ),
  histogram("message.latency", [["input", "image"]], 0.012),
];

/** Yields the requests one after the other. The same options give the same bytes. */
export function* generateMetricLoad(
  options: MetricLoadOptions,
): Generator<MetricLoadRequest, void> {
  const random = new Random(options.seed);
  const writer = new OtlpMetricWriter();
  const series = SERIES.filter(({ kind }) => options.hasHistograms || kind !== "histogram");
  const instances = Array.from({ length: options.instanceCount }, (_, index) =>
    makeInstance(random, index, series),
  );
  for (let moment = 0; moment < options.momentCount; moment += options.momentsPerRequest) {
    const count = Math.min(options.momentsPerRequest, options.momentCount - moment);
    const groups: OtlpGroup<OtlpMetric>[] = [];
    const rows: PointRow[] = [];
    for (let index = moment; index < moment + count; index++) {
      for (const instance of instances) {
        const metrics = instance.measure(index);
        groups.push({ resource: instance.resource, scopeName: "meter", items: metrics });
        for (const { name, points } of metrics) {
          for (const point of points) {
            rows.push({ ...point, service: instance.service, metric: name });
          }
        }
      }
    }
    yield { body: writer.encodeRequest(groups), rows };
  }
}

interface Instance {
  readonly service: string;
  readonly resource: readonly Attribute[];
  measure(moment: number): readonly OtlpMetric[];
}

/** Each instance exports at its own offset within the ten seconds, with a jitter of some ms. */
function makeInstance(random: Random, index: number, ownSeries: readonly Series[]): Instance {
  const service = `worker-${String(index).padStart(2, "0")}`;
  const offsetMs = random.between(0, INTERVAL_MS - 100);
  const startUnixNs = BigInt(LOAD_DAY_UNIX_MS - random.between(1, 86_400) * 1_000) * 1_000_000n;
  const states = ownSeries.map(() => ({ value: 0, sum: 0, counts: BOUNDS.map(() => 0).concat(0) }));
  return {
    service,
    resource: [
      ["service.name", service],
      ["service.instance.id", `${service}-1`],
      ["host.name", `edge-${index % 7}`],
    ],
    measure: (moment) => {
      const unixMs = LOAD_DAY_UNIX_MS + moment * INTERVAL_MS + offsetMs;
      const timeUnixNs = BigInt(unixMs) * 1_000_000n + BigInt(random.between(0, 3_000_000));
      const metrics = ownSeries.map((series, at): OtlpMetric => {
        const state = states[at];
        if (state === undefined) throw new Error("each series has a state");
        const point = { startUnixNs, timeUnixNs, attributes: series.attributes };
        const measured = measure(random, series, state);
        const { name, unit, kind, isInteger } = series;
        return { name, unit, kind, points: [{ ...point, ...measured, isInteger }] };
      });
      return joinPoints(metrics);
    },
  };
}

interface SeriesState {
  value: number;
  sum: number;
  counts: number[];
}

function measure(
  random: Random,
  series: Series,
  state: SeriesState,
): { readonly value: number; readonly histogram: OtlpHistogram | undefined } {
  if (series.kind !== "histogram") {
    state.value = series.next(random, state.value);
    return { value: state.value, histogram: undefined };
  }
  const times = random.between(0, 40);
  for (let time = 0; time < times; time++) {
    const seconds = series.next(random, 0);
    const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
    const index = bucket < 0 ? BOUNDS.length : bucket;
    state.counts[index] = (state.counts[index] ?? 0) + 1;
    state.sum += seconds;
  }
  const histogramNow = { sum: state.sum, bounds: BOUNDS, bucketCounts: [...state.counts] };
  return { value: 0, histogram: histogramNow };
}

/** Series of one metric stand in one metric. */
function joinPoints(metrics: readonly OtlpMetric[]): readonly OtlpMetric[] {
  return [...Map.groupBy(metrics, ({ name }) => name).values()].flatMap((same) => {
    const [first] = same;
    return first === undefined ? [] : [{ ...first, points: same.flatMap(({ points }) => points) }];
  });
}
