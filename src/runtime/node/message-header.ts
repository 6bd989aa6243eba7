import { HEADER_BYTES_MAX, type MessageHeader } from "../protocol/message-header.ts";
import { AppError } from "../../core/errors.ts";
import {
  either,
  list,
  objectWith,
  oneOf,
  parseJson,
  record,
  scalar,
  ShapeError,
  text,
} from "./shape.ts";

const header = objectWith(
  { t: text, tp: text, e: oneOf("bytes", "arrow", "none") },
  { ts: text, m: record(either(scalar, list(scalar))) },
);

const UNIX_NS = /^\d{1,20}$/;

/** Errors: `ShapeError` for anything that is no header. */
export function readHeader(bytes: Uint8Array): MessageHeader {
  const read = header(parseJson(bytes), "header");
  if (!UNIX_NS.test(read.t)) throw new ShapeError("header.t is no time");
  return read;
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
