import type { Json } from "../../core/any-value.ts";
import { severityOfWord } from "./level-word.ts";
import type { LineReading } from "./line-reading.ts";
import { NO_ATTRIBUTES } from "./line-reading.ts";
import { readLineTime, readNumericTime } from "./line-time.ts";

/** What stands before a message is looked for in so many characters. */
const HEAD_LENGTH = 512;

const TIME = String.raw`(?<time>\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)`;
const LEVEL = String.raw`(?<level>TRACE|DEBUG|VERBOSE|INFO|NOTICE|SUCCESS|WARNING|WARN|ERROR|ERR|CRITICAL|FATAL|PANIC)\b`;
/** A logger after a time and a level; prose that begins with a capital is none. */
const LOGGER = String.raw`(?:(?<logger>[a-z_][\w.$/-]*(?:::\w+)*)\s?:\s+)?`;
/** Without a time, only a name that is plainly one of a module. */
const SURE_LOGGER = String.raw`(?:(?<logger>[A-Za-z_]\w*(?:(?:::|[._/])\w+|_\w*)+)\s?:\s+)?`;

interface LineFormat {
  readonly example: string;
  /** Matches what stands before the message. */
  readonly head: RegExp;
  /** The head says too much to be cut off: the message is the whole line. */
  readonly isWhole?: true;
}

/** Formats by how a line begins. The first that matches is taken. */
const DIGIT_FORMATS: readonly LineFormat[] = [
  {
    example: "2025-01-07 20:34:07.298 | WARNING  | app.camera:grab:41 - late frame",
    head: new RegExp(
      String.raw`^${TIME} \| ${LEVEL}\s*\| (?<logger>[^:\s]+):(?<function>[^:\s]+):(?<line>\d+) - `,
      "i",
    ),
  },
  {
    example: "2025-01-07 20:34:07,298 - camera - WARNING - late frame",
    head: new RegExp(String.raw`^${TIME}\s+-\s+(?<logger>[^\s-]\S*)\s+-\s+${LEVEL}\s+-\s+`, "i"),
  },
  {
    example: "2025-01-07 20:34:07,298 - WARNING - late frame",
    head: new RegExp(String.raw`^${TIME}\s+-\s+${LEVEL}\s+-\s+`, "i"),
  },
  {
    example: "2025-01-07 20:34:07.298  WARN 123 --- [main] c.e.Camera : late frame",
    head: new RegExp(
      String.raw`^${TIME}\s+${LEVEL}\s+\d+\s+---\s+\[[^\]]*\]\s+(?<logger>\S+)\s+: `,
      "i",
    ),
  },
  {
    example: "2025-01-07T20:34:07.298518Z  WARN dora_daemon::coordinator: late frame",
    head: new RegExp(String.raw`^${TIME}\s+${LEVEL}:?\s+${LOGGER}`),
  },
  {
    example: "2025-01-07 20:34:07 [warning] [camera] late frame",
    head: new RegExp(
      String.raw`^${TIME}\s+\[\s*${LEVEL}\s*\]:?\s*(?:\[(?<logger>[^\]\s]+)\]:?)?\s*`,
      "i",
    ),
  },
  {
    example: "2025-01-07 20:34:07,298 warning: late frame",
    head: new RegExp(String.raw`^${TIME}\s+${LEVEL}:\s+`, "i"),
  },
  { example: "2025/01/07 20:34:07 late frame", head: new RegExp(String.raw`^${TIME}:?\s+`) },
];

const BRACKET_FORMATS: readonly LineFormat[] = [
  {
    example: "[WARN] [1736282047.298518000] [camera]: late frame",
    head: new RegExp(
      String.raw`^\[${LEVEL}\] \[(?<seconds>\d{9,10}\.\d+)\] \[(?<logger>[^\]]+)\]: `,
    ),
  },
  {
    example: "[2025-01-07T20:34:07Z WARN  camera::grab] late frame",
    head: new RegExp(String.raw`^\[${TIME}\s+${LEVEL}\s+(?<logger>[^\]\s]+)\]\s+`, "i"),
  },
  {
    example: "[2025-01-07 20:34:07,298] [WARN] [camera] late frame",
    head: new RegExp(
      String.raw`^\[${TIME}\]\s*\[\s*${LEVEL}\s*\]:?\s*(?:\[(?<logger>[^\]\s]+)\]:?)?\s*`,
      "i",
    ),
  },
  {
    example: "[2025-01-07 20:34:07,298] WARNING camera: late frame",
    head: new RegExp(String.raw`^\[${TIME}\]\s*${LEVEL}:?\s+${LOGGER}`),
  },
  {
    example: "[WARN] app.camera: late frame",
    head: new RegExp(String.raw`^\[\s*${LEVEL}\s*\]:?\s*${SURE_LOGGER}`, "i"),
  },
  { example: "[2025-01-07 20:34:07] late frame", head: new RegExp(String.raw`^\[${TIME}\]:?\s+`) },
];

const WORD_FORMATS: readonly LineFormat[] = [
  {
    example: "W0107 20:34:07.298518   123 camera.cc:41] late frame",
    head: /^(?<letter>[IWEF])\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ (?<file>[^:\s]+):(?<line>\d+)\] /,
  },
  {
    example: "WARNING:camera:late frame",
    head: new RegExp(String.raw`^${LEVEL}:(?<logger>[A-Za-z_][\w.-]*):`),
  },
  {
    example: "WARN dora_daemon::coordinator: late frame",
    head: new RegExp(String.raw`^${LEVEL}(?::\s*|\s+)(?:-\s+)?${SURE_LOGGER}`),
  },
  {
    example: "warning: late frame",
    head: new RegExp(String.raw`^${LEVEL}:\s+`, "i"),
    isWhole: true,
  },
  {
    example: "error[E0308]: mismatched types",
    head: /^(?<level>error|warning)\[\w+\]: /,
    isWhole: true,
  },
];

const OTHER_FORMATS: readonly LineFormat[] = [
  {
    example: "(node:123) [DEP0040] DeprecationWarning: The `punycode` module is deprecated.",
    head: /^\(node:\d+\) (?:\[\w+\] )?\w*(?<level>Warning): /,
    isWhole: true,
  },
  {
    example: "/app/camera.py:41: UserWarning: late frame",
    head: /^(?<file>[^:\s]+\.py):(?<line>\d+): \w*(?<level>Warning): /,
    isWhole: true,
  },
];

/** All of them, for the documentation and the tests. */
export const TEXT_LINE_EXAMPLES: readonly string[] = [
  ...DIGIT_FORMATS,
  ...BRACKET_FORMATS,
  ...WORD_FORMATS,
  ...OTHER_FORMATS,
].map((format) => format.example);

const LETTERS: Readonly<Record<string, string>> = {
  I: "INFO",
  W: "WARNING",
  E: "ERROR",
  F: "FATAL",
};

/**
 * Reads time, level, logger and place from the head of a line of text, or undefined where it has
 * none that we know.
 *
 * Pitfalls: a time that is not near `nowUnixNs` stays in the message (`readLineTime`), so that
 *           nothing of the line is lost.
 * Cost:     regular expressions over the first `HEAD_LENGTH` characters.
 */
export function readTextLine(line: string, nowUnixNs: bigint): LineReading | undefined {
  const head = line.length > HEAD_LENGTH ? line.slice(0, HEAD_LENGTH) : line;
  for (const format of formatsOf(head)) {
    const match = format.head.exec(head);
    if (match !== null) return readingOf(line, match, format, nowUnixNs);
  }
  return undefined;
}

function formatsOf(head: string): readonly LineFormat[] {
  const first = head.charCodeAt(0);
  if (first >= 0x30 && first <= 0x39) return DIGIT_FORMATS;
  if (first === 0x5b) return BRACKET_FORMATS;
  const lower = first | 0x20;
  if (lower >= 0x61 && lower <= 0x7a && /^[A-Z]|^(?:err|warn|fatal|info|debug)/.test(head)) {
    return WORD_FORMATS;
  }
  return head.includes("Warning: ") ? OTHER_FORMATS : [];
}

function readingOf(
  line: string,
  match: RegExpExecArray,
  format: LineFormat,
  nowUnixNs: bigint,
): LineReading | undefined {
  const { time, seconds, level = "", letter = "", logger = "" } = match.groups ?? {};
  const timeUnixNs =
    time === undefined ? readSeconds(seconds, nowUnixNs) : readLineTime(time, nowUnixNs);
  const hasStrangeTime = (time ?? seconds) !== undefined && timeUnixNs === undefined;
  const rest = line.slice(match[0].length);
  const isWhole = format.isWhole === true || hasStrangeTime || rest === "";
  const word = level === "" ? (LETTERS[letter] ?? "") : level;
  return {
    message: isWhole ? line : rest,
    severityNumber: word === "" ? 0 : severityOfWord(word),
    severityText: level === "" ? letter : level,
    logger,
    ...(timeUnixNs === undefined ? {} : { timeUnixNs }),
    traceId: "",
    spanId: "",
    attributes: placeOf(match.groups ?? {}),
  };
}

function readSeconds(seconds: string | undefined, nowUnixNs: bigint): bigint | undefined {
  return seconds === undefined ? undefined : readNumericTime(Number(seconds), nowUnixNs);
}

function placeOf(groups: Readonly<Record<string, string | undefined>>) {
  const { file, line, function: name } = groups;
  if (line === undefined) return NO_ATTRIBUTES;
  const place: Record<string, Json> = { "code.line.number": Number(line) };
  if (file !== undefined) place["code.file.path"] = file;
  if (name !== undefined) place["code.function.name"] = name;
  return place;
}
