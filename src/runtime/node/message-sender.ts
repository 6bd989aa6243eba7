import type { Clock } from "../../core/clock.ts";
import { ALL_LINKS, HOP_SENT } from "../protocol/hops.ts";
import type { Parameters } from "../protocol/node-messages.ts";
import type { HopRecorder } from "./hop-recorder.ts";
import { encodeHeader } from "./message-header.ts";
import { metadataToSend } from "./metadata.ts";
import type { NodeOutput } from "./node-outputs.ts";
import {
  CONTEXT_KEY,
  formatTraceparent,
  newSpanId,
  newTraceId,
  parseContext,
  type TraceContext,
} from "./trace.ts";
import { encodeValue } from "./value-encoding.ts";

export interface OutgoingMessage {
  readonly value: unknown;
  readonly metadata: Parameters | undefined;
  /** What it is sent because of; without it, what the metadata say. */
  readonly parent: TraceContext | undefined;
}

/** Makes a message of a value, sends it on an output, and records the send as a hop, failed or not. */
export class MessageSender {
  readonly #clock: Clock;
  readonly #hops: HopRecorder;

  constructor(clock: Clock, hops: HopRecorder) {
    this.#clock = clock;
    this.#hops = hops;
  }

  /** Errors: those of `Node.sendOutput`. */
  async send(output: NodeOutput, message: OutgoingMessage): Promise<void> {
    const startUnixNs = this.#clock.nowUnixNs();
    const parent = message.parent ?? contextOf(message.metadata);
    const traceId = parent?.traceId ?? newTraceId();
    const spanId = newSpanId();
    let payloadBytes = 0;
    let isFailed = true;
    try {
      const metadata = metadataToSend(message.metadata);
      const encoding = encodeValue(message.value);
      // Without a wait where none is needed: it would cost each message a turn.
      const encoded = encoding instanceof Promise ? await encoding : encoding;
      payloadBytes = sizeOf(encoded.payload);
      output.schema.check(encoded.schema);
      const header = encodeHeader({
        t: startUnixNs.toString(),
        tp: formatTraceparent(traceId, spanId, parent?.traceFlags),
        ...(parent === undefined || parent.traceState === "" ? {} : { ts: parent.traceState }),
        e: encoded.encoding,
        ...(metadata === undefined ? {} : { m: metadata }),
      });
      const sent = output.send(header, encoded.payload);
      if (sent !== undefined) await sent;
      isFailed = false;
    } finally {
      this.#hops.write({
        kind: HOP_SENT,
        isFailed,
        port: output.index,
        link: ALL_LINKS,
        payloadBytes,
        traceId,
        spanId,
        parentSpanId: parent?.spanId ?? "",
        startUnixNs,
        endUnixNs: this.#clock.nowUnixNs(),
        sentUnixNs: 0n,
        receivedUnixNs: 0n,
      });
    }
  }
}

function sizeOf(payload: Uint8Array | readonly Uint8Array[]): number {
  if (payload instanceof Uint8Array) return payload.length;
  return payload.reduce((sum, piece) => sum + piece.length, 0);
}

function contextOf(metadata: Parameters | undefined): TraceContext | undefined {
  const context = metadata?.[CONTEXT_KEY];
  return typeof context === "string" ? parseContext(context) : undefined;
}
