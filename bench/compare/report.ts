/** The comparison as Markdown. The JSON report is `Comparison` as it stands. */
import type { LoadFigure } from "./contestant.ts";
import type { Outcome, QuestionResult } from "./measure.ts";

export interface Comparison {
  readonly machine: string;
  /** Processes that wanted to run before this one did anything, over a minute: 0 on a quiet machine. */
  readonly loadBefore: number;
  readonly recordCount: number;
  readonly runCount: number;
  /** In the order in which they are shown. */
  readonly contestants: readonly ContestantFigures[];
  readonly questions: readonly QuestionResult[];
  /** Peers that were asked for and are not installed. */
  readonly skipped: readonly string[];
}

export interface ContestantFigures {
  readonly name: string;
  readonly version: string;
  readonly route: string;
  readonly loads: readonly LoadFigure[];
  readonly peakLoadingBytes: number;
  readonly peakAnsweringBytes: number;
  readonly diskBytes: number;
}

export function toMarkdown(comparison: Comparison): string {
  return `${[questionTable(comparison), winLines(comparison), loadTable(comparison), sizeTable(comparison)].join("\n\n")}\n`;
}

/** The fastest contestant by its median, of those that were measured. */
export function winnerOf(question: QuestionResult): string | undefined {
  const measured = Object.entries(question.outcomes).flatMap(([name, outcome]) =>
    outcome.status === "measured" ? [{ name, medianMs: outcome.timing.medianMs }] : [],
  );
  return measured.toSorted((left, right) => left.medianMs - right.medianMs)[0]?.name;
}

function questionTable({ contestants, questions }: Comparison): string {
  const rows = questions.map((question) => {
    const winner = winnerOf(question);
    const cells = contestants.map(({ name }) => {
      const text = toCell(question.outcomes[name]);
      return name === winner ? `**${text}**` : text;
    });
    return [question.name, question.answer, ...cells];
  });
  return toTable(["question", "answer", ...contestants.map(({ name }) => name)], rows);
}

function toCell(outcome: Outcome | undefined): string {
  if (outcome?.status !== "measured") return outcome?.status ?? "";
  const { minMs, medianMs, cpuMs } = outcome.timing;
  return `${toMs(minMs)} / ${toMs(medianMs)} / ${toMs(cpuMs)}`;
}

function winLines({ contestants, questions }: Comparison): string {
  const wins = contestants.map(({ name }) => {
    const count = questions.filter((question) => winnerOf(question) === name).length;
    return `${name} ${count}`;
  });
  const differing = questions.flatMap(({ name, outcomes }) =>
    Object.entries(outcomes).flatMap(([contestant, outcome]) =>
      outcome.status === "differs"
        ? [`- ${contestant} answers "${name}" differently: ${outcome.difference}`]
        : [],
    ),
  );
  return [
    `Fastest of ${questions.length} questions, by the median: ${wins.join(", ")}.`,
    ...differing,
  ].join("\n");
}

function loadTable({ contestants }: Comparison): string {
  const rows = contestants.flatMap(({ name, loads }) =>
    loads.map(({ how, rows: count, wallSeconds, cpuSeconds }) => [
      name,
      how,
      count.toLocaleString("en"),
      wallSeconds.toFixed(1),
      cpuSeconds.toFixed(1),
      toThousands(count / wallSeconds),
      toThousands(count / cpuSeconds),
    ]),
  );
  return toTable(
    ["", "loaded", "rows", "wall s", "CPU s", "rows a second", "rows per CPU second"],
    rows,
  );
}

function sizeTable({ contestants, recordCount }: Comparison): string {
  const rows = contestants.map((figures) => [
    figures.name,
    `${figures.version}, ${figures.route}`,
    toMegabytes(figures.diskBytes),
    (figures.diskBytes / recordCount).toFixed(1),
    toMegabytes(figures.peakLoadingBytes),
    toMegabytes(figures.peakAnsweringBytes),
  ]);
  return toTable(
    ["", "what", "on disk", "bytes a row", "peak memory, loading", "peak memory, answering"],
    rows,
  );
}

function toTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const toLine = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [toLine(head), toLine(head.map(() => "---")), ...rows.map(toLine)].join("\n");
}

/** Three digits are all that a run repeats. */
export function toMs(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}

function toThousands(count: number): string {
  return (Math.round(count / 1000) * 1000).toLocaleString("en");
}

function toMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
