import {
  HEADER_BYTES_MAX,
  type MessageHeader,
  type PayloadEncoding,
} from "../protocol/message-header.ts";
import { AppError } from "../../core/errors.ts";
import type { Parameters } from "../protocol/node-messages.ts";
import { isScalar } from "./metadata.ts";
import { isObject, parseJson, ShapeError } from "./shape.ts";

/** A `MessageHeader` with all its keys. */
interface ReadHeader {
  readonly t: string;
  readonly tp: string;
  readonly ts: string | undefined;
  readonly e: PayloadEncoding;
  readonly m: Parameters | undefined;
}

const UNIX_NS = /^\d{1,20}$/;

/**
 * Read by hand: each message has one, and shapes cost more than the reading.
 *
 * Errors: `ShapeError` for anything that is no header.
 */
export function readHeader(bytes: Uint8Array): ReadHeader {
  const header = parseJson(bytes);
  if (!isObject(header)) throw new ShapeError("header is no object");
  const { t, tp, ts, e, m } = header;
  if (typeof t !== "string" || !UNIX_NS.test(t)) throw new ShapeError("header.t is no time");
  if (typeof tp !== "string") throw new ShapeError("header.tp is no text");
  if (ts !== undefined && typeof ts !== "string") throw new ShapeError("header.ts is no text");
  if (e !== "bytes" && e !== "arrow" && e !== "none")
    throw new ShapeError("header.e is no encoding");
  if (m !== undefined && !isParameters(m)) throw new ShapeError("header.m is no metadata");
  return { t, tp, ts, e, m };
}

/** Errors: `METADATA_INVALID` where it is larger than a header may be. */
export function encodeHeader(message: MessageHeader): Buffer {
  const bytes = Buffer.from(JSON.stringify(message));
  if (bytes.length <= HEADER_BYTES_MAX) return bytes;
  throw new AppError(
    "METADATA_INVALID",
    `the metadata makes a header of ${bytes.length} bytes; at most ${HEADER_BYTES_MAX} can be sent`,
  );
}

function isParameters(value: unknown): value is Parameters {
  if (!isObject(value)) return false;
  for (const key in value) {
    const found = value[key];
    if (!isScalar(found) && !(Array.isArray(found) && found.every(isScalar))) return false;
  }
  return true;
}
