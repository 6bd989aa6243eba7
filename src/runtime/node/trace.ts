import { randomFillSync } from "node:crypto";

/** Where in which trace something happens. Ids are lower-case hex. */
export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  /** W3C `tracestate`; "" where there is none. */
  readonly traceState: string;
  /** W3C `trace-flags`, of which those that are known are passed on: sampled 1, random 2. */
  readonly traceFlags: number;
}

/** Of a trace that begins here. What is kept of it is decided later, by the daemon. */
export const SAMPLED = 0x01;
const KNOWN_FLAGS = 0x03;

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;

/** Random bytes are fetched by the page: 170 messages' worth. */
const pool = Buffer.allocUnsafeSlow(4096);
let used = pool.length;

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString("hex", used - bytes, used);
}

export function newTraceId(): string {
  return randomHex(TRACE_ID_BYTES);
}

export function newSpanId(): string {
  return randomHex(SPAN_ID_BYTES);
}

export function formatTraceparent(
  traceId: string,
  spanId: string,
  traceFlags: number = SAMPLED,
): string {
  return `00-${traceId}-${spanId}-0${traceFlags & KNOWN_FLAGS}`;
}

/**
 * Version 00 is exactly this; later ones may add fields behind it. Version ff and ids of zeros are
 * none. Source: W3C Trace Context
 */
const TRACEPARENT =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-|$)/;

/** Undefined where the text is no `traceparent`. */
export function parseTraceparent(text: string, traceState = ""): TraceContext | undefined {
  const found = TRACEPARENT.exec(text);
  if (found === null) return undefined;
  const [, version, traceId, spanId, flags, more] = found;
  if (version === "00" && more !== "") return undefined;
  const traceFlags = Number.parseInt(flags, 16) & KNOWN_FLAGS;
  return { traceId, spanId, traceState: limitTraceState(traceState), traceFlags };
}

const STATE_MEMBERS_MAX = 32;
const STATE_LENGTH_MAX = 512;
const STATE_MEMBER_LONG = 128;

/**
 * A `tracestate` as it is passed on: at most 32 members and 512 characters, of which long members give
 * way first, then those to the right. Source: W3C Trace Context, 3.3.1.5
 */
function limitTraceState(text: string): string {
  if (text.length <= STATE_LENGTH_MAX && text.split(",").length <= STATE_MEMBERS_MAX) return text;
  const members = text.split(",").slice(0, STATE_MEMBERS_MAX);
  const isOver = (): boolean => members.join(",").length > STATE_LENGTH_MAX;
  for (let at = members.length - 1; at >= 0 && isOver(); at--) {
    if (members[at].length > STATE_MEMBER_LONG) members.splice(at, 1);
  }
  while (isOver()) members.pop();
  return members.join(",");
}

/** dora-rs's key in a message's metadata. */
export const CONTEXT_KEY = "open_telemetry_context";

/** The value of dora-rs's key. */
export function formatContext(traceparent: string, traceState: string): string {
  return `traceparent:${traceparent}\ntracestate:${traceState}\n`;
}

/** Reads dora-rs's key; older releases join by `;`. */
export function parseContext(text: string): TraceContext | undefined {
  const entries = text.split(/[\n;]/).map((entry): [string, string] => {
    const colon = entry.indexOf(":");
    return [entry.slice(0, colon), entry.slice(colon + 1)];
  });
  const found = new Map(entries);
  return parseTraceparent(found.get("traceparent") ?? "", found.get("tracestate") ?? "");
}
