import { pino } from "pino";
import type { AnyValue, AttributeMap } from "../core/any-value.ts";
import { attributesToJson } from "../core/any-value.ts";
import type { Clock } from "../core/clock.ts";
import { systemClock } from "../core/clock.ts";
import { nodeName } from "../core/record.ts";
import { formatUnixNs } from "../core/time.ts";
import type { LogAttributes } from "./log-attributes.ts";
import { toAttributeMap } from "./log-attributes.ts";

/** The levels our own processes log at, least severe first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * What every process of dora logs with.
 *
 * Errors: none of the methods throws, whatever it is handed.
 * Pitfalls: `message` is a constant sentence; what varies, and all that came from outside, belongs
 *           into `attributes` (SEC-010). `trace_id` and `span_id` among them are the record's ids.
 */
export interface Logger {
  debug(message: string, attributes?: LogAttributes): void;
  info(message: string, attributes?: LogAttributes): void;
  warn(message: string, attributes?: LogAttributes): void;
  error(message: string, attributes?: LogAttributes): void;
}

/** One record on its way from a logger to where it is written. */
export interface EmittedRecord {
  readonly timeUnixNs: bigint;
  readonly level: LogLevel;
  readonly message: string;
  readonly attributes: AttributeMap;
  /** 32 lower-case hex digits, or "". */
  readonly traceId: string;
  /** 16 lower-case hex digits, or "". */
  readonly spanId: string;
}

/** Takes what a logger emits. Must not throw and must not wait. */
export interface LogSink {
  emit(record: EmittedRecord): void;
}

export interface LoggerOptions {
  /** Records below it are not made at all. */
  readonly level: LogLevel;
  readonly sinks: readonly LogSink[];
  readonly clock?: Clock;
}

/** Makes a logger that hands each record at `level` and above to all sinks, in their order. */
export function createLogger({ level, sinks, clock = systemClock }: LoggerOptions): Logger {
  const lowest = LOG_LEVELS.indexOf(level);
  const at = (own: LogLevel) => {
    if (LOG_LEVELS.indexOf(own) < lowest) return () => {};
    return (message: string, attributes: LogAttributes = {}) => {
      const all = new Map(toAttributeMap(attributes));
      const record: EmittedRecord = {
        timeUnixNs: clock.nowUnixNs(),
        level: own,
        message,
        traceId: takeHexId(all, "trace_id", 32),
        spanId: takeHexId(all, "span_id", 16),
        attributes: all,
      };
      for (const sink of sinks) sink.emit(record);
    };
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** A logger that writes nothing, for tests and for callers that were given none. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};

/** Where lines go: a stream, or anything that takes text. */
export interface LineDestination {
  write(line: string): void;
}

/**
 * Writes one JSON object a line with the keys of the standard log entry: `level`, `timestamp`,
 * `node`, `trace_id`, `span_id`, `attributes`, `message`. Control characters, line ends included,
 * are escaped, so one record is one line whatever it holds (SEC-010).
 */
export class JsonLinesSink implements LogSink {
  readonly #pino: pino.Logger;
  readonly #node: string;

  /** Writes to standard error, without delay, unless given another destination. */
  constructor(resource: AttributeMap, destination?: LineDestination) {
    this.#node = nodeName({ attributes: resource, schemaUrl: "" });
    this.#pino = pino(
      {
        base: null,
        level: "debug",
        timestamp: false,
        messageKey: "message",
        formatters: { level: (label) => ({ level: label.toUpperCase() }) },
      },
      // Synchronous: the last line before an exit is the one that matters.
      destination ?? pino.destination({ dest: 2, sync: true }),
    );
  }

  emit(record: EmittedRecord): void {
    const entry = {
      timestamp: formatUnixNs(record.timeUnixNs),
      node: this.#node,
      trace_id: record.traceId,
      span_id: record.spanId,
      attributes: attributesToJson(record.attributes),
    };
    this.#pino[record.level](entry, record.message);
  }
}

/** Takes an id out of the attributes; what is no id stays there as it came. */
function takeHexId(attributes: Map<string, AnyValue>, key: string, length: number): string {
  const value = attributes.get(key);
  if (typeof value !== "string" || value.length !== length) return "";
  if (!/^[0-9a-f]+$/i.test(value)) return "";
  attributes.delete(key);
  return value.toLowerCase();
}
