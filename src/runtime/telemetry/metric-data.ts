import type { Attributes, HrTime } from "@opentelemetry/api";
import { ValueType } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { DataPoint, MetricData, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { AggregationTemporality, DataPointType } from "@opentelemetry/sdk-metrics";
import type { DurationHistogram, HistogramPoint } from "./duration-histogram.ts";
import type { NodeSeries } from "./node-series.ts";

const SCOPE = { name: "dora.runtime", version: "" };

interface Span {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
}

interface Named {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
}

interface Value {
  readonly attributes: Attributes;
  readonly value: number;
}

/** All metrics of a node, cumulative since it was first started. */
export function nodeMetrics(
  series: NodeSeries,
  resource: Resource,
  startTime: HrTime,
  endTime: HrTime,
): ResourceMetrics {
  const span = { startTime, endTime };
  const metrics = [
    ...messageMetrics(series, span),
    ...durationMetrics(series, span),
    ...stateMetrics(series, span),
  ];
  return { resource, scopeMetrics: [{ scope: SCOPE, metrics }] };
}

/** Sums and gauges of the daemon itself. */
export function toResourceMetrics(
  resource: Resource,
  metrics: readonly (Named & {
    readonly isMonotonic: boolean;
    readonly values: readonly Value[];
  })[],
  startTime: HrTime,
  endTime: HrTime,
): ResourceMetrics {
  const span = { startTime, endTime };
  const data = metrics.map(({ values, isMonotonic, ...named }) =>
    isMonotonic ? toSum(named, span, true, values) : toGauge(named, span, ValueType.INT, values),
  );
  return { resource, scopeMetrics: [{ scope: SCOPE, metrics: data }] };
}

function messageMetrics(series: NodeSeries, span: Span): readonly MetricData[] {
  const ports = [
    ...[...series.inputs].map(([id, input]) => ({ attributes: { "dora.input": id }, port: input })),
    ...[...series.outputs].map(([id, output]) => {
      return { attributes: { "dora.output": id }, port: output };
    }),
  ];
  const inputs = [...series.inputs].map(([id, input]) => {
    return { attributes: { "dora.input": id }, input };
  });
  const outputs = [...series.outputs];
  const errors = Object.entries(series.errors);
  return [
    toSum(
      { name: "dora.node.messages", unit: "{message}", description: "Messages handled and sent." },
      span,
      true,
      ports.map(({ attributes, port }) => ({ attributes, value: port.messages })),
    ),
    toSum(
      { name: "dora.node.message.bytes", unit: "By", description: "Payload handled and sent." },
      span,
      true,
      ports.map(({ attributes, port }) => ({ attributes, value: port.bytes })),
    ),
    toSum(
      {
        name: "dora.node.messages.dropped",
        unit: "{message}",
        description: "Messages that a full queue dropped.",
      },
      span,
      true,
      inputs.map(({ attributes, input }) => ({ attributes, value: input.dropped })),
    ),
    toSum(
      {
        name: "dora.node.messages.unconfirmed",
        unit: "{message}",
        description: "Messages sent that a receiver which went away had not confirmed.",
      },
      span,
      true,
      outputs.map(([id, { unconfirmed }]) => {
        return { attributes: { "dora.output": id }, value: unconfirmed };
      }),
    ),
    toGauge(
      { name: "dora.node.queue.depth", unit: "{message}", description: "Messages that wait." },
      span,
      ValueType.INT,
      inputs.map(({ attributes, input }) => ({ attributes, value: input.queued })),
    ),
    toSum(
      {
        name: "dora.node.errors",
        unit: "{error}",
        description: "Failed sends, failed handlers, and records of ERROR and above.",
      },
      span,
      true,
      errors.map(([kind, value]) => ({ attributes: { "dora.error.kind": kind }, value })),
    ),
  ];
}

function durationMetrics(series: NodeSeries, span: Span): readonly MetricData[] {
  const of = (
    name: string,
    description: string,
    pick: (
      input: NodeSeries["inputs"] extends Map<string, infer Input> ? Input : never,
    ) => DurationHistogram,
  ): MetricData => {
    const dataPoints: DataPoint<HistogramPoint>[] = [];
    for (const [id, input] of series.inputs) {
      const histogram = pick(input);
      if (histogram.count === 0) continue;
      dataPoints.push({ ...span, attributes: { "dora.input": id }, value: histogram.point() });
    }
    return {
      descriptor: { name, unit: "s", description, valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.EXPONENTIAL_HISTOGRAM,
      dataPoints,
    };
  };
  const histograms = [
    of("dora.link.latency", "From the send to the start of the handler.", (input) => input.latency),
    of("dora.node.handling.duration", "In the handler.", (input) => input.handling),
    of("dora.node.queue.wait", "From the receipt to the handler.", (input) => input.queueWait),
  ];
  return histograms.filter((metric) => metric.dataPoints.length > 0);
}

function stateMetrics(series: NodeSeries, span: Span): readonly MetricData[] {
  const at = (value: number): readonly Value[] => [{ attributes: {}, value }];
  const metrics: MetricData[] = [
    toSum(
      { name: "dora.node.restarts", unit: "{restart}", description: "Restarts of its process." },
      span,
      true,
      at(series.restarts),
    ),
    toGauge(
      { name: "dora.node.connections", unit: "{connection}", description: "Open connections." },
      span,
      ValueType.INT,
      at(series.connections),
    ),
  ];
  if (series.cpuCores !== null) {
    const named = { name: "process.cpu.utilization", unit: "1", description: "1 is a whole core." };
    metrics.push(toGauge(named, span, ValueType.DOUBLE, at(series.cpuCores)));
  }
  if (series.memoryBytes !== null) {
    const named = { name: "process.memory.usage", unit: "By", description: "Resident memory." };
    metrics.push(toSum(named, span, false, at(series.memoryBytes)));
  }
  if (series.eventLoopUtilization !== null) {
    const named = {
      name: "nodejs.eventloop.utilization",
      unit: "1",
      description: "Share of the time in which the event loop was busy.",
    };
    metrics.push(toGauge(named, span, ValueType.DOUBLE, at(series.eventLoopUtilization)));
  }
  return metrics;
}

function toSum(
  named: Named,
  span: Span,
  isMonotonic: boolean,
  values: readonly Value[],
): MetricData {
  return {
    descriptor: { ...named, valueType: ValueType.INT },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.SUM,
    isMonotonic,
    dataPoints: values.map((value) => ({ ...span, ...value })),
  };
}

function toGauge(
  named: Named,
  span: Span,
  valueType: ValueType,
  values: readonly Value[],
): MetricData {
  return {
    descriptor: { ...named, valueType },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.GAUGE,
    dataPoints: values.map((value) => ({ ...span, ...value })),
  };
}
