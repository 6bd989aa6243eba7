import { DataflowBuilder } from "./build-dataflow.ts";
import { checkConnections } from "./check-connections.ts";
import type { Dataflow } from "./dataflow.ts";
import { readContent } from "./file-content.ts";
import { readFileText } from "./file-text.ts";
import type { Finding } from "./finding.ts";
import { Findings } from "./findings.ts";

export interface ParseOptions {
  /** For `$NAME` in values of `env` and in `path`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export type ParseResult =
  | { readonly status: "ok"; readonly dataflow: Dataflow; readonly warnings: readonly Finding[] }
  | {
      readonly status: "invalid";
      readonly problems: readonly Finding[];
      readonly warnings: readonly Finding[];
    };

/**
 * Reads a dataflow file: dora-rs's YAML, of 1.0 and 0.x, with our additions. Pure: it does not look at
 * the files that a node names.
 *
 * Shape:  all problems at once, in the order of lines; nothing in the file is silently ignored.
 * Limits: `FILE_BYTES_MAX`, `NODES_MAX`, `PORTS_MAX`; `FINDINGS_MAX` problems are listed.
 * Errors: none; a file that cannot be read at all is `invalid`.
 * Cost:   in proportion to the file: a millisecond or two for a usual one, up to 3 s for a hostile megabyte.
 * Source: docs/dataflow-file.md
 */
export function parseDataflow(text: string, options: ParseOptions): ParseResult {
  const read = readFileText(text);
  if (read.status === "broken") return { status: "invalid", problems: read.problems, warnings: [] };
  const findings = new Findings(read.file);
  const content = readContent(read.file, findings);
  const built = new DataflowBuilder(read.file, options.environment, findings).build(content);
  checkConnections(built, findings);
  const { problems, warnings } = findings;
  return problems.length === 0
    ? { status: "ok", dataflow: built.dataflow, warnings }
    : { status: "invalid", problems, warnings };
}
