import { LINE_BYTES_MAX } from "./line-splitter.ts";

/** What a group of lines is: one line, or the stack of an error in one of the languages' forms. */
export type LineGroupKind = "plain" | "python" | "stack" | "node" | "rust" | "go";

export interface LineGroup {
  readonly kind: LineGroupKind;
  readonly lines: readonly string[];
  /** When its first line came. */
  readonly timeUnixNs: bigint;
}

const PYTHON_START = "Traceback (most recent call last):";
const PYTHON_CHAIN =
  /^(?:During handling of the above exception, another|The above exception was the direct cause)/;
const RUST_START = /^thread '.*'.* panicked at /;
const GO_START = /^(?:panic: |fatal error: )/;
const JAVA_START = /^Exception in thread "/;
/** Where Node.js shows the source line of an error that nobody caught. */
const NODE_START = /^(?:(?:file:\/\/)?\/\S+\.[cm]?[jt]s|node:[\w/]+|\[eval\]):\d+$/;
/** Lines of source and of blank before the stack, at most. */
const NODE_HEAD_LINES = 8;
const STACK_LINE = /^\s+at (?:.*\(.*\)|.*:\d+:\d+|<anonymous>)/;
/** What can follow a stack's first line, beside lines that are set in. */
const STACK_MORE = /^(?:\}|Caused by: |\.\.\. \d+ )/;
const NODE_END = /^Node\.js v\d/;
const RUST_MORE = /^(?:stack backtrace:|note: )/;
const GO_MORE = /^(?:goroutine \d|\S+\(.*\)$|created by |exit status |\[signal )/;
const SET_IN = /^\s+\S/;

/** Severe enough that a traceback after it belongs to it, as Python's `logging.exception` writes. */
const ERROR_LINE = /\b(?:ERROR|CRITICAL|FATAL|error|critical|fatal)\b/;

interface OpenGroup {
  kind: LineGroupKind;
  readonly lines: string[];
  readonly timeUnixNs: bigint;
  length: number;
  /** Blank lines after the last: they belong to it only if more follows. */
  blanks: number;
  /** Python: the exception's own line has come. */
  isComplete: boolean;
}

/**
 * Joins the lines of a stack trace to one group; every other line is one of its own. Blank lines
 * outside of a stack are left out.
 *
 * Limits: a group holds `LINE_BYTES_MAX` characters; what follows begins another.
 * Pitfalls: a group is known to have ended only by the next line, or by `flush`.
 */
export class LineJoiner {
  #open: OpenGroup | undefined;

  get isPending(): boolean {
    return this.#open !== undefined;
  }

  /** The group that `line` ends, if it does. */
  push(line: string, timeUnixNs: bigint): LineGroup | undefined {
    const open = this.#open;
    if (line.trim() === "") {
      if (open !== undefined && open.kind !== "plain") {
        open.blanks += 1;
        return undefined;
      }
      return this.flush();
    }
    if (open !== undefined && isMore(open, line) && open.length + line.length <= LINE_BYTES_MAX) {
      append(open, line);
      return undefined;
    }
    const ended = this.flush();
    this.#open = {
      kind: kindOf(line),
      lines: [line],
      timeUnixNs,
      length: line.length,
      blanks: 0,
      isComplete: false,
    };
    return ended;
  }

  /** The group in hand. */
  flush(): LineGroup | undefined {
    const open = this.#open;
    this.#open = undefined;
    return open;
  }
}

function append(open: OpenGroup, line: string): void {
  for (; open.blanks > 0; open.blanks--) open.lines.push("");
  open.lines.push(line);
  open.length += line.length + 1;
}

function kindOf(line: string): LineGroupKind {
  if (line.endsWith(PYTHON_START)) return "python";
  switch (line.charAt(0)) {
    case "t":
      return RUST_START.test(line) ? "rust" : "plain";
    case "E":
      return JAVA_START.test(line) ? "stack" : "plain";
    case "p":
    case "f":
      if (GO_START.test(line)) return "go";
      return NODE_START.test(line) ? "node" : "plain";
    case "/":
    case "[":
    case "n":
      return NODE_START.test(line) ? "node" : "plain";
    default:
      return "plain";
  }
}

/** Whether `line` belongs to the group; may tell the group's kind by it. */
function isMore(open: OpenGroup, line: string): boolean {
  switch (open.kind) {
    case "plain":
      return startsStack(open, line);
    case "python":
      return isMorePython(open, line);
    case "stack":
      return SET_IN.test(line) || STACK_MORE.test(line);
    case "node":
      if (open.lines.length <= NODE_HEAD_LINES && !open.lines.some((of) => STACK_LINE.test(of))) {
        return true;
      }
      return SET_IN.test(line) || STACK_MORE.test(line) || NODE_END.test(line);
    case "rust":
      return (
        (open.lines.length === 1 && (open.lines[0] ?? "").endsWith(":")) ||
        SET_IN.test(line) ||
        RUST_MORE.test(line)
      );
    case "go":
      return SET_IN.test(line) || GO_MORE.test(line);
  }
}

function startsStack(open: OpenGroup, line: string): boolean {
  const first = open.lines[0] ?? "";
  if (first.startsWith("{")) return false;
  if (STACK_LINE.test(line)) {
    open.kind = "stack";
    return true;
  }
  if (line === PYTHON_START && ERROR_LINE.test(first)) {
    open.kind = "python";
    return true;
  }
  return false;
}

function isMorePython(open: OpenGroup, line: string): boolean {
  if (PYTHON_CHAIN.test(line)) return true;
  if (line === PYTHON_START) {
    const isChained = PYTHON_CHAIN.test(open.lines.at(-1) ?? "");
    if (isChained) open.isComplete = false;
    return isChained;
  }
  if (open.isComplete) return false;
  if (!SET_IN.test(line)) open.isComplete = true;
  return true;
}
