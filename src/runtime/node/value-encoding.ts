import type { EncodedValue, Format } from "../formats/format.ts";
import { NO_SCHEMA } from "../formats/format.ts";
import type { PayloadEncoding } from "../protocol/message-header.ts";

export interface EncodedMessage extends EncodedValue {
  readonly encoding: PayloadEncoding;
}

/** A value that was encoded before, in another thread of the process. */
export class EncodedElsewhere implements EncodedMessage {
  readonly encoding: PayloadEncoding;
  readonly payload: Uint8Array;
  readonly schema: EncodedMessage["schema"];

  constructor(message: EncodedMessage & { readonly payload: Uint8Array }) {
    this.encoding = message.encoding;
    this.payload = message.payload;
    this.schema = message.schema;
  }
}

const NOTHING: EncodedMessage = {
  encoding: "none",
  payload: new Uint8Array(0),
  schema: NO_SCHEMA,
};

let arrow: Format<unknown> | undefined;
let loading: Promise<void> | undefined;

/**
 * The payload of a value: bytes go as they are, and everything else is Arrow's, which is loaded with the
 * first such value. The values of one process are encoded in the order of the calls.
 *
 * Errors: `VALUE_UNSUPPORTED`.
 */
export function encodeValue(value: unknown): EncodedMessage | Promise<EncodedMessage> {
  if (loading !== undefined && arrow === undefined) return loading.then(() => encodeNow(value));
  if (value instanceof EncodedElsewhere) return value;
  if (value === undefined || value instanceof Uint8Array || arrow !== undefined) {
    return encodeNow(value);
  }
  loading = import("../formats/arrow.ts").then((module) => {
    arrow = module.arrowFormat;
  });
  return loading.then(() => encodeNow(value));
}

function encodeNow(value: unknown): EncodedMessage {
  if (value === undefined) return NOTHING;
  if (value instanceof Uint8Array) return { encoding: "bytes", payload: value, schema: "uint8" };
  if (arrow === undefined) throw new TypeError("apache-arrow could not be loaded");
  return { encoding: "arrow", ...arrow.encode(value) };
}
