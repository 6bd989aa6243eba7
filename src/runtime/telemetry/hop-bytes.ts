/**
 * Reads fields of a hop where they lie in a frame, without an object for each: all hops become
 * metrics, few become spans.
 *
 * Source: protocol/hops.ts, the layout.
 */
import { HOP_FAILED, HOP_HANDLED } from "../protocol/hops.ts";

export const HOP_TRACE = 8;
export const HOP_SPAN = 24;
export const HOP_PARENT = 32;
export const HOP_START = 40;
export const HOP_END = 48;
export const HOP_SENT_AT = 56;
export const HOP_RECEIVED = 64;

const WORD = 4_294_967_296;

export function isHandled(body: Buffer, at: number): boolean {
  return body[at] === HOP_HANDLED;
}

export function isFailed(body: Buffer, at: number): boolean {
  return body[at + 1] === HOP_FAILED;
}

export function portOf(body: Buffer, at: number): number {
  return (body[at + 2] ?? 0) | ((body[at + 3] ?? 0) << 8);
}

export function payloadBytesOf(body: Buffer, at: number): number {
  return body.readUInt32LE(at + 4);
}

/** From one time of the hop to another in nanoseconds, exact up to 2^53; 0 where it went back. */
export function nsBetween(body: Buffer, at: number, from: number, to: number): number {
  const high = body.readUInt32LE(at + to + 4) - body.readUInt32LE(at + from + 4);
  const low = body.readUInt32LE(at + to) - body.readUInt32LE(at + from);
  return Math.max(0, high * WORD + low);
}

/** The trace id as 16 characters of one byte each: a key, not to be shown. */
export function traceKey(body: Buffer, at: number): string {
  return body.toString("latin1", at + HOP_TRACE, at + HOP_SPAN);
}

/** A time of the hop as OpenTelemetry's seconds and nanoseconds. */
export function hrTimeOf(body: Buffer, at: number, field: number): [number, number] {
  return toHrTime(body.readBigUInt64LE(at + field));
}

export function toHrTime(unixNs: bigint): [number, number] {
  return [Number(unixNs / 1_000_000_000n), Number(unixNs % 1_000_000_000n)];
}
