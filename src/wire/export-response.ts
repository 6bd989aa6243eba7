import type { Signal } from "../core/record.ts";
import { cutText } from "./cut-text.ts";
import type { Encoding } from "./encoding.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

/** A partial success says why in at most this many bytes; a response may have 4 MiB (OTLP-007). */
export const PARTIAL_SUCCESS_MESSAGE_BYTES_MAX = 1024;

/** What became of a request that was taken. */
export interface ExportOutcome {
  readonly rejectedCount: number;
  /** Why records were rejected, or a warning where none was; "" where all is well. */
  readonly message: string;
}

const REJECTED_KEYS: Readonly<Record<Signal, string>> = {
  logs: "rejectedLogRecords",
  traces: "rejectedSpans",
  metrics: "rejectedDataPoints",
};

/**
 * The bytes of an `Export*ServiceResponse`.
 *
 * Shape:  full success is no byte in protobuf and `{}` in JSON, `partial_success` unset (OTLP-008);
 *         with a message and no rejected record it is a warning (OTLP-010).
 * Limits: the message is cut at `PARTIAL_SUCCESS_MESSAGE_BYTES_MAX` (OTLP-007).
 */
export function encodeExportResponse(
  signal: Signal,
  outcome: ExportOutcome,
  encoding: Encoding,
): Uint8Array {
  const message = cutText(outcome.message, PARTIAL_SUCCESS_MESSAGE_BYTES_MAX);
  const { rejectedCount } = outcome;
  const isFullSuccess = rejectedCount === 0 && message === "";
  if (encoding === "json") {
    const partialSuccess = {
      ...(rejectedCount === 0 ? {} : { [REJECTED_KEYS[signal]]: String(rejectedCount) }),
      ...(message === "" ? {} : { errorMessage: message }),
    };
    return Buffer.from(JSON.stringify(isFullSuccess ? {} : { partialSuccess }));
  }
  const writer = new ProtobufWriter({ initialBytes: 64 });
  if (isFullSuccess) return writer.finish();
  const mark = writer.beginField(1);
  writer.uint32Field(1, rejectedCount);
  writer.textField(2, message);
  writer.end(mark);
  return writer.finish();
}
