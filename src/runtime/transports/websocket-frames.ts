/** What both ends of a WebSocket connection agree on: each binary message is one frame of `frame.ts`. */
import type { RawData } from "ws";
import { FRAME_HEAD_BYTES, FrameError, isFrameHead } from "./frame.ts";
import type { Frame } from "./frame-reader.ts";
import { HEADER_BYTES_MAX } from "./transport.ts";

/** A larger payload goes in parts, between which the other links of the connection have their turn. */
export const PART_BYTES_MAX = 128 * 1024;

/** What a link may have under way on a connection that it shares: the receiver's promise to keep it. */
export const LINK_WINDOW_BYTES = 1024 * 1024;

export const WEBSOCKET_MESSAGE_BYTES_MAX = FRAME_HEAD_BYTES + HEADER_BYTES_MAX + PART_BYTES_MAX;

/** Of one connection. */
export const CONNECTION_LINKS_MAX = 4096;

/** Both ends look after each other: one that does not answer within this time is gone. */
export const PING_INTERVAL_MS = 15_000;

export const SUBPROTOCOL = "dora.v1";

/** The frame that a message is. Errors: `FrameError`. */
export function readFrame(data: RawData, isBinary: boolean): Frame {
  if (!isBinary || !Buffer.isBuffer(data)) throw new FrameError("a text is no frame");
  if (data.length < FRAME_HEAD_BYTES || !isFrameHead(data, 0)) {
    throw new FrameError("this is no frame");
  }
  const headerEnd = FRAME_HEAD_BYTES + data.readUInt32LE(4);
  if (headerEnd + data.readUInt32LE(8) !== data.length) {
    throw new FrameError("a frame's lengths are not those of its message");
  }
  return {
    type: data.readUInt32LE(0),
    link: data.readUInt32LE(12),
    header: data.subarray(FRAME_HEAD_BYTES, headerEnd),
    payload: data.subarray(headerEnd),
  };
}
