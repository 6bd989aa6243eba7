import { parseRfc3339 } from "../../core/time.ts";

/**
 * How far a time in the text may be from when its line came. Beyond that it means something else:
 * a replay, a simulation, a clock without a battery.
 */
const NEAR_NS = 60_000_000_000n;

/** A time of whole seconds that is so near tells less than when its line came. */
const SAME_NS = 2_000_000_000n;

const TIME =
  /^(\d{4})[-/](\d{2})[-/](\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?(Z|[+-]\d{2}:?\d{2})?$/;

/**
 * Reads the time of a line as Unix nanoseconds; one without a zone is this machine's, and one of
 * whole seconds stands for `nowUnixNs`, where that is as near. Undefined where it is no time, or
 * none within a minute of `nowUnixNs`.
 */
export function readLineTime(text: string, nowUnixNs: bigint): bigint | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const time = readMatch(match, nowUnixNs);
  if (time === undefined || match[7] !== undefined) return time;
  const apart = time - nowUnixNs;
  return apart < SAME_NS && apart > -SAME_NS ? nowUnixNs : undefined;
}

function readMatch(match: RegExpExecArray, nowUnixNs: bigint): bigint | undefined {
  const [, year, month, day, hour, minute, second, fraction = "", zone] = match;
  if (zone !== undefined) {
    const colon = zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone;
    const clock = `${hour}:${minute}:${second}${fraction === "" ? "" : `.${fraction}`}`;
    return ifNear(parseRfc3339(`${year}-${month}-${day}T${clock}${colon}`), nowUnixNs);
  }
  const ms = new Date(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  ).getTime();
  if (Number.isNaN(ms)) return undefined;
  return ifNear(BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, "0")), nowUnixNs);
}

/**
 * Reads a number that stands for a time: seconds, milliseconds, microseconds or nanoseconds since
 * 1970, told apart by which of them is near `nowUnixNs`.
 */
export function readNumericTime(value: number, nowUnixNs: bigint): bigint | undefined {
  if (!Number.isFinite(value) || value <= 0) return undefined;
  for (const unitNs of [1e9, 1e6, 1e3, 1]) {
    if (value * unitNs > 9e18) continue;
    const whole = Math.floor(value);
    // A double holds today's time to the microsecond, no more.
    const restNs = Math.round(((value - whole) * unitNs) / 1e3) * 1e3;
    const near = ifNear(BigInt(whole) * BigInt(unitNs) + BigInt(restNs), nowUnixNs);
    if (near !== undefined) return near;
  }
  return undefined;
}

function ifNear(timeUnixNs: bigint | undefined, nowUnixNs: bigint): bigint | undefined {
  if (timeUnixNs === undefined) return undefined;
  const apart = timeUnixNs - nowUnixNs;
  return apart > NEAR_NS || apart < -NEAR_NS ? undefined : timeUnixNs;
}
