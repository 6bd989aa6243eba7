import type { Finding } from "../runtime/dataflow/finding.ts";
import type { Piece } from "./output.ts";
import { cleanLine, displayWidth } from "./terminal-text.ts";

/** Of a line that is shown, in UTF-16 units: a longer one is cut around what is meant. */
const SHOWN_LENGTH_MAX = 120;
/** Of them before what is meant. */
const SHOWN_BEFORE_MAX = 60;

export interface FindingsOf {
  /** As the user named it. */
  readonly file: string;
  readonly text: string;
  readonly problems: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/**
 * Problems and warnings in the order of the file, each with its line:
 *
 *     flow.yml:7:13: error: there is no node `soruce`, did you mean "source"?
 *        7 |       tick: soruce/data
 *          |             ^^^^^^^^^^^
 */
export function renderFindings(findings: FindingsOf): readonly (readonly Piece[])[] {
  const { file, text, problems, warnings } = findings;
  const all = [
    ...problems.map((finding) => ({ finding, isProblem: true })),
    ...warnings.map((finding) => ({ finding, isProblem: false })),
  ].toSorted(
    ({ finding: left }, { finding: right }) => left.line - right.line || left.column - right.column,
  );
  const lines = text.split(/\r?\n/);
  return all.flatMap(({ finding, isProblem }) => {
    const style = isProblem ? "error" : "warning";
    const place = `${file}:${finding.line}:${finding.column}: `;
    const title: readonly Piece[] = [
      place,
      { text: isProblem ? "error" : "warning", style },
      `: ${finding.message}`,
    ];
    const line = lines[finding.line - 1] ?? "";
    if (line.trim() === "") return [title];
    const { shown, before, marked } = around(line, finding);
    const number = String(finding.line).padStart(5);
    return [
      title,
      [{ text: `${number} | `, style: "dim" }, shown],
      [
        { text: "      | ", style: "dim" },
        " ".repeat(displayWidth(before)),
        { text: "^".repeat(Math.max(displayWidth(marked), 1)), style },
      ],
    ];
  });
}

/** A line, or a part of a long one, and what stands before and at the finding's place in it; all cleaned. */
function around(
  line: string,
  { column, length }: Finding,
): { readonly shown: string; readonly before: string; readonly marked: string } {
  const at = Math.min(column - 1, line.length);
  const start = line.length > SHOWN_LENGTH_MAX ? Math.max(0, at - SHOWN_BEFORE_MAX) : 0;
  const end = Math.min(line.length, start + SHOWN_LENGTH_MAX);
  const [head, tail] = [start > 0 ? "..." : "", end < line.length ? "..." : ""];
  return {
    shown: `${head}${cleanLine(line.slice(start, end))}${tail}`,
    before: `${head}${cleanLine(line.slice(start, at))}`,
    marked: cleanLine(line.slice(at, Math.min(end, at + length))),
  };
}

/** Such as `2 problems, 1 warning`. */
export function countFindings(problems: number, warnings: number): string {
  return [
    countOf(problems, "problem"),
    ...(warnings > 0 ? [countOf(warnings, "warning")] : []),
  ].join(", ");
}

export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
