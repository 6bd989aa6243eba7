import type { Json } from "../../core/any-value.ts";
import type { LineGroup, LineGroupKind } from "./line-joiner.ts";
import { LineJoiner } from "./line-joiner.ts";
import type { LineAttributes } from "./line-reading.ts";
import { LineSplitter } from "./line-splitter.ts";
import { readLine } from "./read-line.ts";

export type OutputStream = "stdout" | "stderr";

/** A line without an end, and a stack that may have more, are told after so long a silence. */
export const OUTPUT_SILENCE_MS = 200;

/** One record made of a process's output. */
export interface OutputRecord {
  readonly stream: OutputStream;
  /** What the text says, else when it came. */
  readonly timeUnixNs: bigint;
  /** When its first line came. */
  readonly observedUnixNs: bigint;
  readonly severityNumber: number;
  /** As in the text, or "". */
  readonly severityText: string;
  readonly body: string;
  readonly logger: string;
  /** As in the text, or "". */
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: LineAttributes;
}

const SEVERITY_INFO = 9;
const SEVERITY_ERROR = 17;
const SEVERITY_FATAL = 21;

/**
 * Makes records of one stream of a process's output. Pure: it has no clock and no timers.
 *
 *     bytes ──► LineSplitter ──► LineJoiner ──► readLine ──► record
 *
 * Pitfalls: call `flush` once `isPending` and nothing came for `OUTPUT_SILENCE_MS`.
 */
export class OutputReader {
  readonly #stream: OutputStream;
  readonly #splitter = new LineSplitter();
  readonly #joiner = new LineJoiner();

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  /** True while something waits for more. */
  get isPending(): boolean {
    return this.#splitter.isPartial || this.#joiner.isPending;
  }

  /** Lines that were longer than `LINE_BYTES_MAX`, and the bytes of them that were passed over. */
  get cut(): { readonly lines: number; readonly bytes: number } {
    return { lines: this.#splitter.cutLines, bytes: this.#splitter.cutBytes };
  }

  push(chunk: Buffer, nowUnixNs: bigint): readonly OutputRecord[] {
    const records: OutputRecord[] = [];
    for (const line of this.#splitter.push(chunk)) {
      const ended = this.#joiner.push(line, nowUnixNs);
      if (ended !== undefined) records.push(toRecord(ended, this.#stream));
    }
    return records;
  }

  /** What is in hand; with `isEnd` all of it. */
  flush(nowUnixNs: bigint, isEnd: boolean): readonly OutputRecord[] {
    const line = this.#splitter.flush(isEnd);
    const groups = [
      line === undefined ? undefined : this.#joiner.push(line, nowUnixNs),
      this.#joiner.flush(),
    ];
    return groups.flatMap((group) => (group === undefined ? [] : [toRecord(group, this.#stream)]));
  }
}

function toRecord(group: LineGroup, stream: OutputStream): OutputRecord {
  const { kind, lines, timeUnixNs } = group;
  const reading = readLine(lines[0] ?? "", timeUnixNs);
  const body = lines.length === 1 ? reading.message : joinLines(reading.message, lines);
  return {
    stream,
    timeUnixNs: reading.timeUnixNs ?? timeUnixNs,
    observedUnixNs: timeUnixNs,
    severityNumber: reading.severityNumber === 0 ? severityOf(kind) : reading.severityNumber,
    severityText: reading.severityText,
    body,
    logger: reading.logger,
    traceId: reading.traceId,
    spanId: reading.spanId,
    attributes:
      kind === "plain"
        ? reading.attributes
        : { ...reading.attributes, ...exceptionOf(kind, lines, reading.message) },
  };
}

function joinLines(first: string, lines: readonly string[]): string {
  return [first, ...lines.slice(1)].join("\n");
}

function severityOf(kind: LineGroupKind): number {
  if (kind === "plain") return SEVERITY_INFO;
  return kind === "go" ? SEVERITY_FATAL : SEVERITY_ERROR;
}

const PYTHON_EXCEPTION = /^([A-Za-z_][\w.]*)(?:: ([\s\S]*))?$/;
const STACK_EXCEPTION =
  /(?:^|\s)((?:[\w$]+[./])*[A-Z]?[\w$]*(?:Error|Exception|Throwable))(?: \[\w+\])?(?:: (.*))?$/;

/** `exception.type` and `exception.message`, as OpenTelemetry names them, where they can be told. */
function exceptionOf(
  kind: LineGroupKind,
  lines: readonly string[],
  message: string,
): Readonly<Record<string, Json>> {
  switch (kind) {
    case "plain":
      return {};
    case "python": {
      const last = lines.findLast((line) => line !== "" && !/^\s/.test(line)) ?? "";
      return toException(PYTHON_EXCEPTION.exec(last));
    }
    case "stack":
      return toException(STACK_EXCEPTION.exec(message));
    case "node": {
      const at = lines.findIndex((line) => /^\s+at /.test(line));
      return toException(STACK_EXCEPTION.exec(lines[at - 1] ?? ""));
    }
    case "rust": {
      const [head = "", next = ""] = lines;
      const text = head.endsWith(":") ? next : head.replace(/^.*? panicked at /, "");
      return { "exception.type": "panic", "exception.message": text };
    }
    case "go":
      return {
        "exception.type": "panic",
        "exception.message": message.replace(/^(?:panic|fatal error): /, ""),
      };
  }
}

function toException(match: RegExpExecArray | null): Readonly<Record<string, Json>> {
  const [, type, message] = match ?? [];
  if (type === undefined) return {};
  return {
    "exception.type": type,
    ...(message === undefined ? {} : { "exception.message": message }),
  };
}
