import type { Parameters } from "./node-messages.ts";

/**
 * The head of a message between nodes: one JSON object in UTF-8, at most `HEADER_BYTES_MAX`. Every
 * transport carries it as it is.
 *
 *     {"t":"1767225600000000000","tp":"00-…-…-01","e":"bytes","m":{"frame":7}}
 *
 *     t   when it was sent, Unix nanoseconds in decimal
 *     tp  W3C traceparent: the span of the send
 *     ts  W3C tracestate, where there is one
 *     e   how the payload is encoded: "bytes" (an Arrow UInt8 array: the bytes themselves), "arrow"
 *         (an Arrow IPC stream of one batch), or "none" (no payload: an Arrow array of length 0)
 *     m   the user's metadata, where there is any
 */
export interface MessageHeader {
  readonly t: string;
  readonly tp: string;
  readonly ts?: string;
  readonly e: PayloadEncoding;
  readonly m?: Parameters;
}

export type PayloadEncoding = "bytes" | "arrow" | "none";

export const HEADER_BYTES_MAX = 64 * 1024;
