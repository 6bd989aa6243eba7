import { AppError } from "./errors.ts";

/** Nanoseconds in a UTC day; exact as a double. */
export const DAY_NS = 86_400_000_000_000;
const DAY_NS_BIG = BigInt(DAY_NS);
const SECOND_NS = 1_000_000_000n;

/** A half-open span of time, Unix nanoseconds: `from` inclusive, `to` exclusive. */
export interface TimeRange {
  readonly fromUnixNs: bigint;
  readonly toUnixNs: bigint;
}

/** Everything that OTLP's unsigned 64-bit nanoseconds can say. */
export const ALL_TIME: TimeRange = { fromUnixNs: 0n, toUnixNs: 1n << 64n };

/**
 * A time as the columns hold it: the UTC day since 1970 and the nanosecond within it, both exact
 * doubles, so that hot loops need no bigint.
 */
export interface DayTime {
  readonly day: number;
  readonly ns: number;
}

export function toDayTime(unixNs: bigint): DayTime {
  return { day: Number(unixNs / DAY_NS_BIG), ns: Number(unixNs % DAY_NS_BIG) };
}

export function toUnixNs(day: number, ns: number): bigint {
  return BigInt(day) * DAY_NS_BIG + BigInt(ns);
}

/**
 * ISO 8601 in UTC with `Z`: six digits of a second, nine where the time has nanoseconds.
 *
 * Source: RFC 3339 (TIME-003).
 */
export function formatTimestamp(day: number, ns: number): string {
  const fraction = ns % 1e9;
  const second = new Date(day * 86_400_000 + (ns - fraction) / 1e6).toISOString().slice(0, 19);
  const digits = String(fraction).padStart(9, "0");
  return `${second}.${digits.endsWith("000") ? digits.slice(0, 6) : digits}Z`;
}

/** `formatTimestamp` of a Unix time. */
export function formatUnixNs(unixNs: bigint): string {
  return formatTimestamp(Number(unixNs / DAY_NS_BIG), Number(unixNs % DAY_NS_BIG));
}

const RFC_3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * Reads an RFC 3339 time with a zone to Unix nanoseconds, or undefined where it is none.
 *
 * Digits past the ninth are cut; a leap second (`:60`) is the next second (TIME-002).
 */
export function parseRfc3339(text: string): bigint | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second = "0", fraction = "", zone = "Z"] = match;
  const isLeap = second === "60";
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day));
  const date = new Date(ms);
  const isDate = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
  if (!isDate || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  const zoneMinutes = parseZone(zone);
  if (zoneMinutes === undefined) return undefined;
  const seconds =
    BigInt(ms / 1000) +
    BigInt(Number(hour) * 3600 + (Number(minute) - zoneMinutes) * 60 + Number(second));
  const nanoseconds = isLeap ? 0n : BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return seconds * SECOND_NS + nanoseconds;
}

function parseZone(zone: string): number | undefined {
  if (zone === "Z" || zone === "z") return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4, 6));
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}

const DURATION_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: SECOND_NS,
  m: 60n * SECOND_NS,
  h: 3600n * SECOND_NS,
  d: DAY_NS_BIG,
  w: 7n * DAY_NS_BIG,
};

/** Reads a duration such as `15m`, `1h30m` or `250ms` to nanoseconds, or undefined. */
export function parseDurationNs(text: string): bigint | undefined {
  if (!/^(?:\d+(?:ns|us|ms|s|m|h|d|w))+$/.test(text)) return undefined;
  let total = 0n;
  for (const [, amount = "0", unit = "s"] of text.matchAll(/(\d+)(ns|us|ms|s|m|h|d|w)/g)) {
    total += BigInt(amount) * (DURATION_NS[unit] ?? 0n);
  }
  return total;
}

/**
 * Reads a point in time as users type it: `-15m` or `15m` (ago), `now`, `today`, `yesterday`
 * (UTC midnights), a date (`2025-01-07`, UTC), or ISO 8601 with a zone.
 *
 * Errors: `TIME_SYNTAX` with the accepted forms.
 */
export function parseTimeText(text: string, nowUnixNs: bigint): bigint {
  const midnight = nowUnixNs - (nowUnixNs % DAY_NS_BIG);
  if (text === "now") return nowUnixNs;
  if (text === "today") return midnight;
  if (text === "yesterday") return midnight - DAY_NS_BIG;
  const ago = parseDurationNs(text.startsWith("-") ? text.slice(1) : text);
  if (ago !== undefined) return ago > nowUnixNs ? 0n : nowUnixNs - ago;
  const time = parseRfc3339(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text);
  if (time !== undefined && time >= 0n) return time;
  throw new AppError(
    "TIME_SYNTAX",
    `cannot read the time "${text}": give -15m, today, yesterday, now, 2025-01-07, or ISO 8601 with a zone such as 2025-01-07T20:34:06Z or 2025-01-07T21:34:06+01:00`,
  );
}

/** `DAY_NS` is divisible by 2^16, so a 64-bit time splits exactly with doubles alone. */
const DAY_IN_65536_NS = DAY_NS / 65_536;

/** The UTC day of a 64-bit Unix time given as two unsigned 32-bit words. */
export function dayOfWords(low: number, high: number): number {
  return Math.floor((high * 65_536 + (low >>> 16)) / DAY_IN_65536_NS);
}

/** The nanosecond within `day` (from `dayOfWords`) of the same time. */
export function nsInDayOfWords(low: number, high: number, day: number): number {
  const coarse = high * 65_536 + (low >>> 16) - day * DAY_IN_65536_NS;
  return coarse * 65_536 + (low & 0xffff);
}
