import type { Json } from "../../core/any-value.ts";

/** What the text of a line says of itself. */
export interface LineReading {
  /** The text without what the other fields hold; never empty where the line was not. */
  readonly message: string;
  /** 1 to 24; 0 where the text names no level. */
  readonly severityNumber: number;
  /** The level's name as it stands in the text, or "". */
  readonly severityText: string;
  readonly logger: string;
  readonly timeUnixNs?: bigint;
  /** Lower-case hex, or "". */
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: LineAttributes;
}

export type LineAttributes = Readonly<Record<string, Json>>;

export const NO_ATTRIBUTES: LineAttributes = {};

const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/;
const SPAN_ID = /^(?!0{16})[0-9a-f]{16}$/;

/** A trace id in lower case, or "" where the value is none. */
export function traceIdOf(value: unknown): string {
  const text = typeof value === "string" ? value.toLowerCase() : "";
  return TRACE_ID.test(text) ? text : "";
}

/** A span id in lower case, or "" where the value is none. */
export function spanIdOf(value: unknown): string {
  const text = typeof value === "string" ? value.toLowerCase() : "";
  return SPAN_ID.test(text) ? text : "";
}
