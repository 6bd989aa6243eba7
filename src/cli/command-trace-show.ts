import { AppError } from "../core/errors.ts";
import { ALL_TIME } from "../core/time.ts";
import { exportEntries } from "../query/export.ts";
import { parseQuery } from "../query/parse-query.ts";
import { readWhole, rowsOf } from "./answer-rows.ts";
import type { LogsFlags } from "./logs-flags.ts";
import { readOutput, readTraceId } from "./logs-flags.ts";
import { renderTrace } from "./render-trace.ts";
import type { Session } from "./session.ts";
import { warnPartial, withSession } from "./session.ts";
import { readTraceAnswer } from "./trace-answer.ts";

const TRACE_FORMATS = ["text", "json", "yaml"] as const;
const TRACE_ID_DIGITS = 32;

/** Traces that are named where the start of an id does not tell them apart. */
const CANDIDATES_MAX = 10;

/** `dora trace show`: one trace as a tree of spans, with its logs in between. */
export async function showTrace(idText: string, flags: LogsFlags): Promise<void> {
  const format = readOutput(flags.output ?? "text", TRACE_FORMATS);
  const typedId = readTraceId(idText);
  await withSession(flags, { isEndless: false }, async (session) => {
    const { source, output, notes, signal } = session;
    const traceId =
      typedId.length === TRACE_ID_DIGITS ? typedId : await completeTraceId(session, typedId);
    const answer = await source.readTrace(traceId, signal);
    const trace = readTraceAnswer(answer);
    if (format === "text") await output.writeLines(renderTrace(trace, output.look.icons));
    else if (format === "json") {
      await output.writeDocument(Buffer.from(`${JSON.stringify(answer, null, 2)}\n`));
    } else {
      for await (const chunk of exportEntries("yaml", oneLine(answer))) {
        await output.writeDocument(chunk);
      }
    }
    if (trace.isPartial) await warnPartial(notes, trace.reasons);
  });
}

async function* oneLine(value: unknown): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from(`${JSON.stringify(value)}\n`);
}

/** The trace whose id starts so, by the log records of it. Errors: `NOT_FOUND`, `USAGE`. */
async function completeTraceId({ source, signal }: Session, start: string): Promise<string> {
  const query = parseQuery(`trace_id:${start}* | top ${CANDIDATES_MAX} trace_id`);
  const { lines } = await readWhole(
    source.run({ query, range: ALL_TIME, order: "newest" }, signal),
  );
  const ids = lines
    .flatMap(rowsOf)
    .map((row) => row["trace_id"])
    .filter((id) => typeof id === "string");
  if (ids.length === 1) return ids[0];
  if (ids.length === 0) {
    throw new AppError("NOT_FOUND", `no log record has a trace id that starts with ${start}`, {
      hint: "give all 32 digits: a trace without log records is found by its whole id alone",
    });
  }
  throw new AppError("USAGE", `several traces start with ${start}:\n  ${ids.join("\n  ")}`, {
    hint: "give more digits",
  });
}
