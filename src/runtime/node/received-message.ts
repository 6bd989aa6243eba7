import type { PayloadEncoding } from "../protocol/message-header.ts";
import type { Parameters } from "../protocol/node-messages.ts";
import { readHeader } from "./message-header.ts";
import { parseTraceparent, type TraceContext } from "./trace.ts";

/** A message, its header read. */
export interface ReceivedMessage {
  readonly encoding: PayloadEncoding;
  readonly metadata: Parameters;
  /** The span of the send. */
  readonly context: TraceContext | undefined;
  readonly payload: Uint8Array;
  /** What it was sent to: the link, or a broker's topic; "" of what came by no link. */
  readonly topic: string;
  readonly sentUnixNs: bigint;
  readonly receivedUnixNs: bigint;
  /** Gives the payload's memory back. */
  readonly recycle?: () => void;
}

const NO_METADATA: Parameters = {};
const NO_PAYLOAD = new Uint8Array(0);

/**
 * Reads a message as it came. Programs that are no nodes send by brokers without a header: their messages
 * are bytes, and begin a trace.
 *
 * Errors: `ShapeError` for a header that is none.
 */
export function readMessage(
  header: Uint8Array,
  received: Pick<ReceivedMessage, "payload" | "topic" | "receivedUnixNs" | "recycle">,
): ReceivedMessage {
  if (header.length === 0) {
    return { ...tickMessage(received.receivedUnixNs), encoding: "bytes", ...received };
  }
  const { t, tp, ts, e, m } = readHeader(header);
  return {
    encoding: e,
    metadata: m ?? NO_METADATA,
    context: parseTraceparent(tp, ts),
    sentUnixNs: BigInt(t),
    ...received,
  };
}

/** A timer's tick: no value, and the beginning of a trace. */
export function tickMessage(unixNs: bigint): ReceivedMessage {
  return {
    encoding: "none",
    metadata: NO_METADATA,
    context: undefined,
    payload: NO_PAYLOAD,
    topic: "",
    sentUnixNs: unixNs,
    receivedUnixNs: unixNs,
  };
}

/** A standard entry, as JSON in UTF-8. */
export function entryMessage(entry: string, unixNs: bigint): ReceivedMessage {
  return { ...tickMessage(unixNs), encoding: "bytes", payload: Buffer.from(entry) };
}
