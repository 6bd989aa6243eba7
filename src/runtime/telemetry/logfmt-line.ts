import type { Json } from "../../core/any-value.ts";
import { severityOfWord } from "./level-word.ts";
import type { LineReading } from "./line-reading.ts";
import { spanIdOf, traceIdOf } from "./line-reading.ts";
import { readLineTime } from "./line-time.ts";

/** A line that has this is looked at closer. */
const SIGN = /(?:^|\s)(?:level|lvl|severity)=/;
const PAIR = /([A-Za-z_][\w.-]*)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?:\s+|$)/y;
const PAIRS_MAX = 128;

/**
 * Reads a line of logfmt, such as `time=… level=info msg="late frame" frame=7`. Undefined where any
 * of it is no pair, or it has no level and message.
 */
export function readLogfmtLine(line: string, nowUnixNs: bigint): LineReading | undefined {
  if (!SIGN.test(line)) return undefined;
  const pairs = readPairs(line);
  if (pairs === undefined) return undefined;
  const level = take(pairs, ["level", "lvl", "severity"]);
  const message = take(pairs, ["msg", "message"]);
  const severityNumber = severityOfWord(level);
  if (severityNumber === 0 || message === "") return undefined;
  const timeText = pairs.get("time") ?? pairs.get("ts") ?? "";
  const timeUnixNs = readLineTime(timeText, nowUnixNs);
  if (timeUnixNs !== undefined) take(pairs, ["time", "ts"]);
  const traceId = traceIdOf(pairs.get("trace_id") ?? pairs.get("traceID"));
  const spanId = spanIdOf(pairs.get("span_id") ?? pairs.get("spanID"));
  if (traceId !== "") take(pairs, ["trace_id", "traceID"]);
  if (spanId !== "") take(pairs, ["span_id", "spanID"]);
  return {
    message,
    severityNumber,
    severityText: level,
    logger: take(pairs, ["logger", "target", "component"]),
    ...(timeUnixNs === undefined ? {} : { timeUnixNs }),
    traceId,
    spanId,
    attributes: Object.fromEntries([...pairs].map(([key, text]) => [key, valueOf(text)])),
  };
}

function readPairs(line: string): Map<string, string> | undefined {
  const pairs = new Map<string, string>();
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < line.length) {
    const match = PAIR.exec(line);
    if (match === null || pairs.size >= PAIRS_MAX) return undefined;
    const [, key = "", quoted, bare = ""] = match;
    pairs.set(key, quoted === undefined ? bare : quoted.replace(/\\(.)/g, unescape));
  }
  return pairs;
}

function unescape(_: string, character: string): string {
  if (character === "n") return "\n";
  return character === "t" ? "\t" : character;
}

function take(pairs: Map<string, string>, keys: readonly string[]): string {
  for (const key of keys) {
    const value = pairs.get(key);
    if (value === undefined) continue;
    pairs.delete(key);
    return value;
  }
  return "";
}

function valueOf(text: string): Json {
  if (text === "true" || text === "false") return text === "true";
  return /^-?(?:0|[1-9]\d{0,14})(?:\.\d+)?$/.test(text) ? Number(text) : text;
}
