/**
 * What a node's process says to the thread of one of its operators, and the thread to it.
 *
 *     process   load ─────────► thread
 *     process ◄─────── loaded  thread     or `failed`
 *     process   event ────────► thread     a message; the next one only after `done`
 *     process ◄───────── send  thread     each gets one `sent`
 *     process ◄───────── done  thread
 */
import { isMarkedAsUntransferable } from "node:worker_threads";
import { AppError, type ErrorCode } from "../../core/errors.ts";
import type { LogicalSchema } from "../formats/format.ts";
import type { PayloadEncoding } from "../protocol/message-header.ts";
import type { NodeLogRecord, OperatorConfig, Parameters } from "../protocol/node-messages.ts";
import type { InputEvent } from "./events.ts";
import type { OperatorAnswer, OperatorContext, OperatorEvent } from "./operator.ts";
import type { ReceivedMessage } from "./received-message.ts";

export type ToOperator =
  | {
      readonly type: "load";
      readonly operator: OperatorConfig;
      readonly context: Pick<OperatorContext, "node" | "dataflow" | "parameters" | "state">;
    }
  | {
      readonly type: "event";
      readonly id: string;
      readonly message: Omit<ReceivedMessage, "recycle">;
      readonly startUnixNs: bigint;
      readonly traceId: string;
      readonly spanId: string;
    }
  | { readonly type: "notice"; readonly event: Exclude<OperatorEvent, InputEvent> }
  | {
      readonly type: "sent";
      readonly send: number;
      /** Several receive what this output sends: its memory is to be shared. */
      readonly isShared: boolean;
      readonly error?: ThreadError;
    }
  /** What is to outlast a reload is asked for. */
  | { readonly type: "state" };

export type FromOperator =
  | { readonly type: "loaded" }
  | {
      readonly type: "send";
      readonly send: number;
      readonly output: string;
      readonly message: EncodedOutput;
      readonly metadata: Parameters | undefined;
      /** Because of the message that is being handled. */
      readonly isWithinEvent: boolean;
    }
  /** A message is handled; after a notice only where the answer is not to go on. */
  | { readonly type: "done"; readonly isFailed: boolean; readonly answer: OperatorAnswer }
  | { readonly type: "log"; readonly records: readonly NodeLogRecord[] }
  | { readonly type: "state"; readonly state: unknown; readonly error?: ThreadError }
  /** After `stop`. */
  | { readonly type: "ended" }
  /** It could not be loaded, or its code threw: the thread does nothing more. */
  | { readonly type: "failed"; readonly error: ThreadError };

export interface EncodedOutput {
  readonly encoding: PayloadEncoding;
  readonly payload: Uint8Array;
  readonly schema: LogicalSchema;
}

/** An error, as it crosses from thread to thread. */
export interface ThreadError {
  readonly code?: ErrorCode;
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

export function toThreadError(error: unknown): ThreadError {
  if (!(error instanceof Error)) {
    return { name: "Error", message: String(error), stack: String(error) };
  }
  const { name, message } = error;
  const code = error instanceof AppError ? { code: error.code } : {};
  return { ...code, name, message, stack: error.stack ?? `${name}: ${message}` };
}

export function fromThreadError({ code, message }: ThreadError): Error {
  return code === undefined ? new Error(message) : new AppError(code, message);
}

/**
 * Bytes, and the memory that goes to another thread with them, without a copy where that is possible: memory
 * that is shared stays where it is, and a whole buffer is handed over. A part of a buffer is copied, since the
 * rest of it is somebody else's.
 */
export function handOver(
  bytes: Uint8Array,
  isShared: boolean,
): { readonly bytes: Uint8Array; readonly transfer: readonly ArrayBuffer[] } {
  const { buffer } = bytes;
  if (bytes.length === 0) return { bytes: new Uint8Array(0), transfer: [] };
  if (!(buffer instanceof ArrayBuffer)) return { bytes, transfer: [] };
  if (isShared) {
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    return { bytes: shared, transfer: [] };
  }
  const isWhole = bytes.length === buffer.byteLength && !isMarkedAsUntransferable(buffer);
  if (isWhole) return { bytes, transfer: [buffer] };
  const copy = new Uint8Array(bytes);
  return { bytes: copy, transfer: [copy.buffer] };
}

/** The operator's own name of a port: the node's is `operator/port`; of a single operator they are the same. */
export function localPort(operator: string, port: string): string {
  return port.startsWith(`${operator}/`) ? port.slice(operator.length + 1) : port;
}
