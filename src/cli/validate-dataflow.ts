import { stringify } from "yaml";
import { AppError } from "../core/errors.ts";
import { linksOf } from "../runtime/dataflow/dataflow.ts";
import type { Finding } from "../runtime/dataflow/finding.ts";
import type { ParseResult } from "../runtime/dataflow/parse-dataflow.ts";
import { parseDataflow } from "../runtime/dataflow/parse-dataflow.ts";
import { readDataflowText } from "./dataflow-file.ts";
import { Output } from "./output.ts";
import { countFindings, countOf, renderFindings } from "./render-findings.ts";
import { renderTable } from "./render-table.ts";

export interface ValidateFlags {
  readonly output: "text" | "table" | "json" | "yaml";
}

/**
 * `dora validate FILE`: what is wrong and what is worth knowing, on standard output.
 *
 * Errors: `FILE_UNREADABLE`; `DATAFLOW_INVALID` once all problems are written.
 */
export async function validateDataflow(file: string, flags: ValidateFlags): Promise<void> {
  const text = await readDataflowText(file);
  const result = parseDataflow(text, { environment: process.env });
  const output = new Output(process.stdout);
  await writeResult(output, { file, text, result }, flags.output);
  if (output.failure !== undefined) throw output.failure;
  if (result.status === "invalid") throw invalidDataflow(file, result);
}

/** What a command ends with that was given a file with problems, once they are written. */
export function invalidDataflow(
  file: string,
  { problems, warnings }: Extract<ParseResult, { readonly status: "invalid" }>,
): AppError {
  const message = `${file} is not valid: ${countFindings(problems.length, warnings.length)}`;
  const hint = "correct what is marked above; docs/dataflow-file.md has every key";
  return new AppError("DATAFLOW_INVALID", message, { hint });
}

interface Validated {
  readonly file: string;
  readonly text: string;
  readonly result: ParseResult;
}

async function writeResult(
  output: Output,
  validated: Validated,
  format: ValidateFlags["output"],
): Promise<void> {
  const { file, text, result } = validated;
  const problems = result.status === "invalid" ? result.problems : [];
  const { warnings } = result;
  switch (format) {
    case "json":
      return output.writeDocument(Buffer.from(`${JSON.stringify(toAnswer(validated), null, 2)}\n`));
    case "yaml":
      return output.writeDocument(Buffer.from(stringify(toAnswer(validated))));
    case "table":
      await output.writeLines(
        renderTable([...toRows("error", problems), ...toRows("warning", warnings)]),
      );
      break;
    case "text":
      await output.writeLines(renderFindings({ file, text, problems, warnings }));
  }
  if (result.status === "ok") await output.writeLine(summaryOf(file, result));
}

function summaryOf(
  file: string,
  { dataflow, warnings }: Extract<ParseResult, { readonly status: "ok" }>,
): string {
  const parts = [
    countOf(dataflow.nodes.length, "node"),
    countOf(linksOf(dataflow).length, "link"),
    ...(warnings.length > 0 ? [countOf(warnings.length, "warning")] : []),
  ];
  return `${file} is valid: ${parts.join(", ")}`;
}

/** What a program reads; docs/cli.md names the keys. */
function toAnswer({ file, result }: Validated) {
  const isValid = result.status === "ok";
  return {
    file,
    valid: isValid,
    nodes: isValid ? result.dataflow.nodes.length : null,
    links: isValid ? linksOf(result.dataflow).length : null,
    problems: isValid ? [] : result.problems,
    warnings: result.warnings,
  };
}

function toRows(kind: string, findings: readonly Finding[]) {
  return findings.map(({ line, column, code, message }) => ({ line, column, kind, code, message }));
}
