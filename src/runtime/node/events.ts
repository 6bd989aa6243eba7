import type { Vector } from "apache-arrow";
import type { PayloadEncoding } from "../protocol/message-header.ts";
import type { Parameters, StopReason } from "../protocol/node-messages.ts";
import type { ReceivedMessage } from "./received-message.ts";
import {
  CONTEXT_KEY,
  formatContext,
  formatTraceparent,
  newSpanId,
  newTraceId,
  SAMPLED,
  type TraceContext,
} from "./trace.ts";

/** Everything that a node is told, told apart by `type`. */
export type NodeEvent =
  | InputEvent
  | InputClosedEvent
  | InputRecoveredEvent
  | { readonly type: "node-restarted"; readonly node: string }
  | {
      readonly type: "node-failed";
      readonly node: string;
      /** Inputs of this node that it sent to. */
      readonly inputs: readonly string[];
      readonly message: string;
    }
  /** The last event: none follows. The daemon ends the process `graceMs` later; 0 where it does not. */
  | {
      readonly type: "stop";
      /** `daemon-lost`: the daemon is another one now, which does not know this node. */
      readonly reason: StopReason | "daemon-lost";
      readonly graceMs: number;
    }
  | { readonly type: "reload"; readonly operator?: string }
  | {
      readonly type: "parameters";
      readonly set: Parameters;
      readonly deleted: readonly string[];
      /** All of them, after the change. */
      readonly parameters: Parameters;
    }
  /** Something was lost or cannot be had; the node goes on. */
  | { readonly type: "error"; readonly message: string; readonly input?: string };

export interface InputClosedEvent {
  readonly type: "input-closed";
  readonly id: string;
  /**
   * - `ended`: its sender has closed it, or is gone.
   * - `timeout`: nothing came for the input's `input_timeout`.
   */
  readonly reason: "ended" | "timeout";
}

/** A message came, or will come, on an input that was closed. */
export interface InputRecoveredEvent {
  readonly type: "input-recovered";
  readonly id: string;
}

/**
 * A message on an input, or a timer's tick. Its handling lasts from when it is given to the loop until
 * the loop asks for the next event: that is the span that other spans and records refer to.
 */
export class InputEvent {
  readonly type = "input";
  readonly id: string;
  /** The span of handling this message, which sends and log records belong to. */
  readonly traceId: string;
  readonly spanId: string;
  /** When its handling began, Unix nanoseconds. */
  readonly startUnixNs: bigint;
  readonly #message: ReceivedMessage;
  #metadata: Parameters | undefined;
  #isFailed = false;

  /** `span`: where it is known already, in another thread. */
  constructor(
    id: string,
    message: ReceivedMessage,
    startUnixNs: bigint,
    span?: Pick<TraceContext, "traceId" | "spanId">,
  ) {
    this.id = id;
    this.#message = message;
    this.startUnixNs = startUnixNs;
    this.traceId = span?.traceId ?? message.context?.traceId ?? newTraceId();
    this.spanId = span?.spanId ?? newSpanId();
  }

  /** What the sender gave, and its trace context under dora-rs's key. */
  get metadata(): Parameters {
    this.#metadata ??= this.#withContext();
    return this.#metadata;
  }

  /** `bytes`, `arrow`, or `none` for a message without a value, as a timer's. */
  get encoding(): PayloadEncoding {
    return this.#message.encoding;
  }

  /** What it was sent to: the link's id, or a broker's topic, which matters where the input has wildcards. */
  get topic(): string {
    return this.#message.topic;
  }

  /** When it was sent, by the sender's clock: Unix nanoseconds. */
  get sentUnixNs(): bigint {
    return this.#message.sentUnixNs;
  }

  get receivedUnixNs(): bigint {
    return this.#message.receivedUnixNs;
  }

  /** W3C `tracestate`, which goes on with what is sent. */
  get traceState(): string {
    return this.#message.context?.traceState ?? "";
  }

  /** W3C `trace-flags`, which go on with what is sent. */
  get traceFlags(): number {
    return this.#message.context?.traceFlags ?? SAMPLED;
  }

  get isFailed(): boolean {
    return this.#isFailed;
  }

  /** The payload as it came, without a copy: of an Arrow value its IPC stream. */
  bytes(): Uint8Array {
    return this.#message.payload;
  }

  /**
   * The value as an Arrow vector: of bytes a `Uint8` one, of nothing an empty one, of a table a vector
   * of its rows. It may view the payload's memory.
   *
   * Cost:   the first call in a process loads apache-arrow: some 130 ms.
   * Errors: `FORMAT_MISMATCH` for a payload that is no Arrow stream.
   */
  async arrow(): Promise<Vector> {
    const arrow = await import("../formats/arrow.ts");
    if (this.encoding === "none") return arrow.emptyVector();
    if (this.encoding === "bytes") return arrow.bytesVector(this.#message.payload);
    return arrow.arrowFormat.decode(this.#message.payload);
  }

  /**
   * Gives the payload's memory back, to be filled again: worth it from a megabyte on. Neither the bytes nor
   * an Arrow value of this event may be read after.
   */
  recycle(): void {
    this.#message.recycle?.();
  }

  /** Marks the handling as failed, in the trace and in the node's count of errors. */
  fail(): void {
    this.#isFailed = true;
  }

  get message(): ReceivedMessage {
    return this.#message;
  }

  #withContext(): Parameters {
    const { context, metadata } = this.#message;
    if (context === undefined) return metadata;
    const traceparent = formatTraceparent(context.traceId, context.spanId, context.traceFlags);
    return { ...metadata, [CONTEXT_KEY]: formatContext(traceparent, context.traceState) };
  }
}
