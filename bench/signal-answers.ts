/** Asks for spans and data points over HTTP, and puts answers into the form that is compared. */
import { z } from "zod";
import { LOAD_DAY_UNIX_MS } from "./load.ts";
import { toUnixNs } from "./our-answers.ts";
import type { SignalQuestion } from "./signal-questions.ts";

const DAY_MS = 86_400_000;

const Row = z.record(z.string(), z.unknown());
const Entry = z.looseObject({ timestamp: z.string() });
const End = z.object({ end: z.looseObject({ status: z.string() }) });
const Span = z.looseObject({
  span_id: z.string(),
  get children() {
    return z.array(Span);
  },
});
const Trace = z.looseObject({ status: z.string(), spans: z.array(Span) });

/** The whole answer as text. The range leaves out what the service tells of itself. */
export async function askSignal(api: string, { ours }: SignalQuestion): Promise<string> {
  const range = {
    since: new Date(LOAD_DAY_UNIX_MS).toISOString(),
    until: new Date(LOAD_DAY_UNIX_MS + DAY_MS).toISOString(),
  };
  const { path, parameters } = ours;
  const search =
    parameters === undefined
      ? ""
      : `?${new URLSearchParams({ ...range, ...parameters }).toString()}`;
  const response = await fetch(`${api}${path}${search}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
  return text;
}

/** The answer to compare. Errors: one that is not complete. */
export function readSignalAnswer({ compare }: SignalQuestion, text: string): readonly string[] {
  if (compare === "trace") {
    const { status, spans } = Trace.parse(JSON.parse(text));
    if (status !== "complete") throw new Error(`the trace is ${status}`);
    return spans.flatMap(spanIds).sort();
  }
  const lines = text.trimEnd().split("\n");
  const { status } = End.parse(JSON.parse(lines.pop() ?? "")).end;
  if (status !== "complete") throw new Error(`the answer is ${status}`);
  if (compare === "times") {
    return lines.map((line) => toUnixNs(Entry.parse(JSON.parse(line)).timestamp).toString());
  }
  return lines
    .map((line) => {
      const row = Row.parse(JSON.parse(line));
      return compare.map((column) => String(row[column])).join(" ");
    })
    .sort();
}

/** The same of the peer's rows, whose first column is the time, and whose second a span's id. */
export function readPeerAnswer(
  { compare }: SignalQuestion,
  rows: readonly (readonly unknown[])[],
): readonly string[] {
  if (compare === "times") return rows.map((row) => String(row[0]));
  if (compare === "trace") return rows.map((row) => String(row[1])).sort();
  return rows.map((row) => row.map(String).join(" ")).sort();
}

function spanIds({ span_id: id, children }: z.infer<typeof Span>): readonly string[] {
  return [id, ...children.flatMap(spanIds)];
}
