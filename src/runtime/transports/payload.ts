import { AppError } from "../../core/errors.ts";
import { HEADER_BYTES_MAX, type Payload, PAYLOAD_BYTES_MAX } from "./transport.ts";

/** Whether a payload is in pieces. */
export function isPieces(payload: Payload): payload is readonly Uint8Array[] {
  return Array.isArray(payload);
}

/**
 * The size of a payload, once it is known that the message may be sent.
 *
 * Errors: `MESSAGE_TOO_LARGE`.
 */
export function checkMessage(
  header: Uint8Array,
  payload: Payload,
  payloadBytesMax = PAYLOAD_BYTES_MAX,
): number {
  let payloadBytes = 0;
  if (isPieces(payload)) for (const piece of payload) payloadBytes += piece.length;
  else payloadBytes = payload.length;
  if (header.length > HEADER_BYTES_MAX) {
    throw new AppError(
      "MESSAGE_TOO_LARGE",
      `a message's header has ${header.length} bytes; at most ${HEADER_BYTES_MAX} can be sent`,
    );
  }
  if (payloadBytes > payloadBytesMax) {
    throw new AppError(
      "MESSAGE_TOO_LARGE",
      `a payload has ${payloadBytes} bytes; at most ${payloadBytesMax} can be sent this way`,
    );
  }
  return payloadBytes;
}

/** Copies a payload, in pieces or not, to where it fits. */
export function copyPayload(target: Buffer, start: number, payload: Payload): void {
  if (!isPieces(payload)) {
    target.set(payload, start);
    return;
  }
  let offset = start;
  for (const piece of payload) {
    target.set(piece, offset);
    offset += piece.length;
  }
}
