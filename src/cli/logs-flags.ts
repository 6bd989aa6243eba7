import { AppError } from "../core/errors.ts";
import type { Filter } from "../core/filter.ts";
import { didYouMean } from "../core/nearest-name.ts";
import { SEVERITY_BANDS, severityBandOf } from "../core/severity.ts";
import type { TimeRange } from "../core/time.ts";
import { ALL_TIME, parseTimeText } from "../core/time.ts";
import { parseFilterFlag } from "../query/filter-flags.ts";
import { allOf, anyOf } from "../query/filter-tree.ts";
import type { Query } from "../query/parse-query.ts";
import { parseQuery } from "../query/parse-query.ts";

/** The flags of `dora logs` and its subcommands, as they were typed. */
export interface LogsFlags {
  readonly filter?: string;
  readonly grep?: string;
  readonly node?: readonly string[];
  readonly dataflow?: string;
  readonly level?: string;
  readonly trace?: string;
  readonly since?: string;
  readonly until?: string;
  readonly tail?: string;
  readonly limit?: string;
  readonly follow?: boolean;
  readonly output?: string;
  readonly file?: string;
  readonly url?: string;
  readonly dataDir?: string;
  readonly tokenFile?: string;
}

/**
 * The query that the flags and the query's own text mean together: each of them must hold.
 *
 * Errors: `QUERY_SYNTAX` and `USAGE`, before anything is asked of a store.
 */
export function readQuery(text: string | undefined, flags: LogsFlags): Query {
  const { filter, pipes } = parseQuery(text ?? "");
  const all = [filter];
  if (flags.filter !== undefined) all.push(parseFilterFlag(flags.filter));
  if (flags.level !== undefined) all.push(levelFilter(flags.level));
  if (flags.node !== undefined) {
    all.push(anyOf(flags.node.map((name) => nameFilter("node", name))));
  }
  if (flags.dataflow !== undefined) all.push(dataflowFilter(flags.dataflow));
  if (flags.trace !== undefined) all.push(traceFilter(flags.trace));
  if (flags.grep !== undefined) all.push(grepFilter(flags.grep));
  return { filter: allOf(all), pipes };
}

/** `--since` inclusive to `--until` exclusive. Errors: `TIME_SYNTAX`; `USAGE` for an empty range. */
export function readTimeRange(flags: LogsFlags, nowUnixNs: bigint): TimeRange {
  const fromUnixNs =
    flags.since === undefined ? ALL_TIME.fromUnixNs : parseTimeText(flags.since, nowUnixNs);
  const toUnixNs =
    flags.until === undefined ? ALL_TIME.toUnixNs : parseTimeText(flags.until, nowUnixNs);
  if (fromUnixNs >= toUnixNs) {
    throw new AppError(
      "USAGE",
      `no time lies between --since ${flags.since ?? ""} and --until ${flags.until ?? ""}: --until must be later`,
    );
  }
  return { fromUnixNs, toUnixNs };
}

/** Reads `--tail` or `--limit`: a whole number from 0, or undefined where it was not given. */
export function readCount(
  flag: "--tail" | "--limit",
  text: string | undefined,
): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count)) return count;
  throw new AppError("USAGE", `${flag} must be a whole number such as 10, got "${text}"`);
}

/** Reads the value of `--output`. Errors: `USAGE` with the nearest of `formats`. */
export function readOutput<const Format extends string>(
  text: string,
  formats: readonly Format[],
): Format {
  const format = formats.find((known) => known === text);
  if (format !== undefined) return format;
  throw new AppError(
    "USAGE",
    `--output must be one of ${formats.join(", ")}, got "${text}"${didYouMean(text, formats)}`,
  );
}

function levelFilter(name: string): Filter {
  const band = severityBandOf(name);
  if (band !== undefined) return { kind: "severity", min: band.min, max: 24 };
  const names = SEVERITY_BANDS.map((known) => known.name.toLowerCase());
  throw new AppError(
    "USAGE",
    `--level must be one of ${names.join(", ")}, got "${name}"${didYouMean(name, names)}`,
  );
}

/** The whole id or display name, in any case. */
function nameFilter(target: "node" | "dataflow", name: string): Filter {
  if (name === "") throw new AppError("USAGE", `--${target} needs a name or an id, got ""`);
  return { kind: "field", field: { target }, test: { op: "equals", text: name, anyCase: true } };
}

/** So much of an id is no name, but the start of an id. */
const ID_START = /^[0-9a-f]{8}[0-9a-f-]*$/i;

/** A name or an id, or the start of an id. */
function dataflowFilter(text: string): Filter {
  const named = nameFilter("dataflow", text);
  if (!ID_START.test(text)) return named;
  const test = { op: "glob", pattern: `${text.toLowerCase()}*`, anyCase: false } as const;
  return anyOf([named, { kind: "field", field: { target: "dataflow" }, test }]);
}

function traceFilter(id: string): Filter {
  const text = readTraceId(id);
  const field = { target: "trace_id" } as const;
  if (text.length === TRACE_ID_DIGITS) {
    return { kind: "field", field, test: { op: "equals", text, anyCase: false } };
  }
  return { kind: "field", field, test: { op: "glob", pattern: `${text}*`, anyCase: false } };
}

const TRACE_ID_DIGITS = 32;

/** A trace id or the start of one, in lower case. Errors: `USAGE`. */
export function readTraceId(text: string): string {
  if (/^[0-9a-f]{1,32}$/i.test(text)) return text.toLowerCase();
  throw new AppError(
    "USAGE",
    `a trace id is ${TRACE_ID_DIGITS} hexadecimal digits, or the first of them, got "${text}"`,
  );
}

/** A part of the message, in any case, as `grep -i` would find it. */
function grepFilter(text: string): Filter {
  if (text === "") throw new AppError("USAGE", '--grep needs a text to look for, got ""');
  return {
    kind: "field",
    field: { target: "message" },
    test: {
      op: "contains",
      match: { kind: "literal", text, anyCase: true, startsAtWord: false, endsAtWord: false },
    },
  };
}
