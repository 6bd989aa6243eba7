import type { Piece } from "./output.ts";
import type { Style } from "./terminal-look.ts";

/** What text mode shows of an entry; any field may be missing where a query left it out. */
export interface ShownEntry {
  readonly timestamp: string;
  readonly level: string;
  readonly node: string;
  readonly message: string;
}

/** Continuation lines are set in, so that no message can pass for another record. */
const CONTINUATION = "    ";

const TAB = "    ";

/**
 * The lines of one record: `[2025-01-07T20:34:06.298518Z] [ERROR] [Node B] Connection timeout.`
 *
 * Source: the pictures that users were shown; six digits always, "-" for an unknown node.
 */
export function renderEntry(entry: ShownEntry): readonly (readonly Piece[])[] {
  const [first = "", ...rest] = splitLines(entry.message);
  const head: readonly Piece[] = [
    { text: `[${sixDigits(entry.timestamp)}]`, style: "dim" },
    " ",
    { text: `[${entry.level}]`, style: levelStyle(entry.level) },
    " ",
    { text: `[${entry.node || "-"}]`, style: { node: entry.node } },
    " ",
    first,
  ];
  return [head, ...rest.map((line) => [CONTINUATION, line])];
}

/** The lines of a message with their tabs as spaces; line ends after the last are left out. */
export function splitLines(message: string): readonly string[] {
  return message
    .replace(/[\r\n]+$/, "")
    .replaceAll("\t", TAB)
    .split(/\r?\n/);
}

/** A time of the store with exactly six digits of a second. */
export function sixDigits(timestamp: string): string {
  return timestamp.replace(/(\.\d{6})\d+Z$/, "$1Z");
}

export function levelStyle(level: string): Style {
  switch (level) {
    case "FATAL":
    case "ERROR":
      return "error";
    case "WARN":
      return "warning";
    case "INFO":
      return "info";
    default:
      return "dim";
  }
}
