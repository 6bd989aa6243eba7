import type { NodeGauges } from "../protocol/node-messages.ts";
import type { NodeIdentity } from "../protocol/run-telemetry.ts";
import type { NodeRates } from "../protocol/status.ts";
import { HOP_BYTES } from "../protocol/hops.ts";
import { bucketOf, DurationHistogram } from "./duration-histogram.ts";
import {
  HOP_END,
  HOP_RECEIVED,
  HOP_SENT_AT,
  HOP_START,
  isFailed,
  isHandled,
  nsBetween,
  payloadBytesOf,
  portOf,
} from "./hop-bytes.ts";
import { RateCounter, RateHistogram } from "./rate-window.ts";

/** What was counted of an input since the node was first started. */
export class InputSeries {
  messages = 0;
  bytes = 0;
  dropped = 0;
  queued = 0;
  /** As the process counts them: they begin again with each. */
  droppedByProcess = 0;
  readonly latency = new DurationHistogram();
  readonly handling = new DurationHistogram();
  readonly queueWait = new DurationHistogram();
}

export class OutputSeries {
  messages = 0;
  bytes = 0;
  unconfirmed = 0;
  /** As the process counts them: they begin again with each. */
  unconfirmedByProcess = 0;
}

/**
 * All figures of one node, over the restarts of its process. Nothing here allocates as messages come.
 */
export class NodeSeries {
  readonly startUnixNs: bigint;
  identity: NodeIdentity;
  readonly inputs = new Map<string, InputSeries>();
  readonly outputs = new Map<string, OutputSeries>();
  readonly errors = { send: 0, handle: 0, log: 0 };
  restarts = 0;
  connections = 0;
  cpuCores: number | null = null;
  memoryBytes: number | null = null;
  eventLoopUtilization: number | null = null;
  /** By index, as hops name them. */
  #inputsByPort: InputSeries[] = [];
  #outputsByPort: OutputSeries[] = [];
  readonly #inputRate: RateCounter;
  readonly #outputRate: RateCounter;
  readonly #inputBytesRate: RateCounter;
  readonly #outputBytesRate: RateCounter;
  readonly #latencyWindow: RateHistogram;
  readonly #handlingWindow: RateHistogram;

  constructor(identity: NodeIdentity, nowUnixNs: bigint, nowMs: number) {
    this.startUnixNs = nowUnixNs;
    this.identity = identity;
    this.#inputRate = new RateCounter(nowMs);
    this.#outputRate = new RateCounter(nowMs);
    this.#inputBytesRate = new RateCounter(nowMs);
    this.#outputBytesRate = new RateCounter(nowMs);
    this.#latencyWindow = new RateHistogram(nowMs);
    this.#handlingWindow = new RateHistogram(nowMs);
    this.processStarted(identity);
  }

  /** A process of the node starts, perhaps with other inputs and outputs than the one before. */
  processStarted(identity: NodeIdentity): void {
    this.identity = identity;
    this.#inputsByPort = identity.inputs.map((input) => this.#input(input));
    this.#outputsByPort = identity.outputs.map((output) => this.#output(output));
    for (const input of this.inputs.values()) {
      input.queued = 0;
      input.droppedByProcess = 0;
    }
    for (const output of this.outputs.values()) output.unconfirmedByProcess = 0;
    this.connections = 0;
  }

  /** An input was added while the process runs. */
  inputAdded(input: string): void {
    this.#inputsByPort.push(this.#input(input));
  }

  processEnded(restarts: number): void {
    this.restarts = restarts;
    this.connections = 0;
    this.cpuCores = null;
    this.memoryBytes = null;
    this.eventLoopUtilization = null;
    for (const input of this.inputs.values()) input.queued = 0;
  }

  hops(body: Buffer, nowMs: number): void {
    let handled = 0;
    let handledBytes = 0;
    let sent = 0;
    let sentBytes = 0;
    for (let at = 0; at + HOP_BYTES <= body.length; at += HOP_BYTES) {
      const bytes = payloadBytesOf(body, at);
      if (isHandled(body, at)) {
        handled += 1;
        handledBytes += bytes;
        this.#handled(body, at, bytes, nowMs);
      } else {
        sent += 1;
        sentBytes += bytes;
        const output = this.#outputsByPort[portOf(body, at)];
        if (output !== undefined) {
          output.messages += 1;
          output.bytes += bytes;
        }
        if (isFailed(body, at)) this.errors.send += 1;
      }
    }
    this.#inputRate.add(nowMs, handled);
    this.#inputBytesRate.add(nowMs, handledBytes);
    this.#outputRate.add(nowMs, sent);
    this.#outputBytesRate.add(nowMs, sentBytes);
  }

  gauges(gauges: NodeGauges): void {
    this.connections = gauges.connections;
    this.eventLoopUtilization = gauges.eventLoopUtilization ?? null;
    for (const { input, queued, dropped } of gauges.inputs) {
      const series = this.#input(input);
      series.queued = queued;
      series.dropped += Math.max(0, dropped - series.droppedByProcess);
      series.droppedByProcess = dropped;
    }
    for (const { output, unconfirmed } of gauges.outputs ?? []) {
      const series = this.#output(output);
      series.unconfirmed += Math.max(0, unconfirmed - series.unconfirmedByProcess);
      series.unconfirmedByProcess = unconfirmed;
    }
  }

  rates(nowMs: number): NodeRates {
    const [latencyP50Ns = null, latencyP99Ns = null] = this.#latencyWindow.quantiles(
      nowMs,
      [0.5, 0.99],
    );
    const [handlingP50Ns = null] = this.#handlingWindow.quantiles(nowMs, [0.5]);
    let queued = 0;
    let dropped = 0;
    for (const input of this.inputs.values()) {
      queued += input.queued;
      dropped += input.dropped;
    }
    return {
      inputPerSecond: this.#inputRate.perSecond(nowMs),
      outputPerSecond: this.#outputRate.perSecond(nowMs),
      inputBytesPerSecond: this.#inputBytesRate.perSecond(nowMs),
      outputBytesPerSecond: this.#outputBytesRate.perSecond(nowMs),
      latencyP50Ns,
      latencyP99Ns,
      handlingP50Ns,
      queued,
      dropped,
      errors: this.errors.send + this.errors.handle + this.errors.log,
    };
  }

  #handled(body: Buffer, at: number, bytes: number, nowMs: number): void {
    const latencyNs = nsBetween(body, at, HOP_SENT_AT, HOP_START);
    const handlingNs = nsBetween(body, at, HOP_START, HOP_END);
    const waitNs = nsBetween(body, at, HOP_RECEIVED, HOP_START);
    const latencyBucket = bucketOf(latencyNs);
    const handlingBucket = bucketOf(handlingNs);
    this.#latencyWindow.record(nowMs, latencyBucket);
    this.#handlingWindow.record(nowMs, handlingBucket);
    if (isFailed(body, at)) this.errors.handle += 1;
    const input = this.#inputsByPort[portOf(body, at)];
    if (input === undefined) return;
    input.messages += 1;
    input.bytes += bytes;
    input.latency.record(latencyNs, latencyBucket);
    input.handling.record(handlingNs, handlingBucket);
    input.queueWait.record(waitNs, bucketOf(waitNs));
  }

  #output(id: string): OutputSeries {
    const series = this.outputs.get(id) ?? new OutputSeries();
    this.outputs.set(id, series);
    return series;
  }

  #input(id: string): InputSeries {
    const series = this.inputs.get(id) ?? new InputSeries();
    this.inputs.set(id, series);
    return series;
  }
}
