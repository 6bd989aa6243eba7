import { toMermaid } from "../runtime/dataflow/mermaid.ts";
import { parseDataflow } from "../runtime/dataflow/parse-dataflow.ts";
import { readDataflowText } from "./dataflow-file.ts";
import { Output } from "./output.ts";
import { renderFindings } from "./render-findings.ts";
import { invalidDataflow } from "./validate-dataflow.ts";

/**
 * `dora graph FILE`: the drawing on standard output; what is wrong with the file on standard error.
 *
 * Errors: `FILE_UNREADABLE`; `DATAFLOW_INVALID` once all problems are written.
 */
export async function graphDataflow(file: string): Promise<void> {
  const text = await readDataflowText(file);
  const result = parseDataflow(text, { environment: process.env });
  if (result.status === "invalid") {
    const notes = new Output(process.stderr);
    await notes.writeLines(renderFindings({ ...result, file, text, warnings: [] }));
    throw invalidDataflow(file, { ...result, warnings: [] });
  }
  const output = new Output(process.stdout);
  await output.writeDocument(Buffer.from(toMermaid(result.dataflow)));
  if (output.failure !== undefined) throw output.failure;
}
