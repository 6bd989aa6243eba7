import type { Dataflow } from "../../../src/runtime/dataflow/dataflow.ts";
import type { Finding } from "../../../src/runtime/dataflow/finding.ts";
import { parseDataflow } from "../../../src/runtime/dataflow/parse-dataflow.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The model of a text that must be valid. */
export function parseValid(text: string, environment: Environment = {}): Dataflow {
  const result = parseDataflow(text, { environment });
  if (result.status === "ok") return result.dataflow;
  throw new Error(show(result.problems).join("\n"));
}

/** Problems as `LINE:COLUMN code message`. */
export function problemsOf(text: string, environment: Environment = {}): readonly string[] {
  const result = parseDataflow(text, { environment });
  return result.status === "ok" ? [] : show(result.problems);
}

/** Warnings as `LINE:COLUMN code message`, of a text that must be valid. */
export function warningsOf(text: string, environment: Environment = {}): readonly string[] {
  const result = parseDataflow(text, { environment });
  if (result.status === "ok") return show(result.warnings);
  throw new Error(show(result.problems).join("\n"));
}

function show(findings: readonly Finding[]): readonly string[] {
  return findings.map(({ line, column, code, message }) => `${line}:${column} ${code} ${message}`);
}
