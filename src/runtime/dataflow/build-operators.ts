import type { DataflowOperator } from "./dataflow.ts";
import type { FileInput, FileNode, FileOperator, FileOutput } from "./file-schema.ts";
import type { FilePath } from "./file-text.ts";
import type { Findings } from "./findings.ts";

/** What the operators of a node are to the dataflow: their ports are the node's, as `operator/port`. */
export interface NodeOperators {
  readonly operators: readonly DataflowOperator[];
  readonly inputs: readonly {
    readonly id: string;
    readonly input: FileInput;
    readonly path: FilePath;
  }[];
  readonly outputs: readonly {
    readonly output: FileOutput;
    readonly format: FileOperator["data_format"];
    readonly path: FilePath;
  }[];
  readonly build: readonly string[];
  readonly sendStdoutAs: string | undefined;
  readonly minLogLevel: string | undefined;
}

interface Written {
  readonly operator: FileOperator;
  readonly path: FilePath;
  /** Of `operator` alone, the ports are the node's as they are; dora-rs calls it `op`. */
  readonly isSingle: boolean;
}

export function buildOperators(
  node: Partial<FileNode>,
  path: FilePath,
  findings: Findings,
): NodeOperators {
  const written: readonly Written[] = [
    ...(node.operator === undefined
      ? []
      : [{ operator: node.operator, path: [...path, "operator"], isSingle: true }]),
    ...(node.operators ?? []).map((operator, index) => ({
      operator,
      path: [...path, "operators", index],
      isSingle: false,
    })),
  ];
  checkOperators(written, findings);
  return {
    operators: written.map((one) => ({
      id: idOf(one),
      source: sourceOf(one, findings),
      inputs: Object.keys(one.operator.inputs ?? {}).map((port) => portOf(one, port)),
      outputs: (one.operator.outputs ?? []).map((output) => portOf(one, outputId(output))),
    })),
    inputs: written.flatMap((one) =>
      Object.entries(one.operator.inputs ?? {}).map(([port, input]) => ({
        id: portOf(one, port),
        input,
        path: [...one.path, "inputs", port],
      })),
    ),
    outputs: written.flatMap((one) =>
      (one.operator.outputs ?? []).map((output, index) => {
        const id = portOf(one, outputId(output));
        return {
          output: typeof output === "string" ? id : { ...output, id },
          format: one.operator.data_format,
          path: [...one.path, "outputs", index],
        };
      }),
    ),
    build: written.flatMap(({ operator }) => operator.build ?? []),
    sendStdoutAs: written
      .filter(({ operator }) => operator.send_stdout_as !== undefined)
      .map((one) => portOf(one, one.operator.send_stdout_as ?? ""))[0],
    minLogLevel: written.flatMap(({ operator }) => operator.min_log_level ?? [])[0],
  };
}

export function outputId(output: FileOutput): string {
  return typeof output === "string" ? output : output.id;
}

function idOf({ operator }: Written): string {
  return operator.id ?? "op";
}

function portOf(one: Written, port: string): string {
  return one.isSingle ? port : `${idOf(one)}/${port}`;
}

/** Operators share one process: they have one standard output, and one level. */
function checkOperators(written: readonly Written[], findings: Findings): void {
  const ids = new Set<string>();
  for (const { operator, path } of written) {
    if (operator.id !== undefined && ids.has(operator.id)) {
      const message = `there are two operators \`${operator.id}\` in this node: rename one`;
      findings.problem("duplicate", [...path, "id"], message);
    }
    if (operator.id !== undefined) ids.add(operator.id);
  }
  for (const key of ["send_stdout_as", "min_log_level"] as const) {
    const [, ...further] = written.filter(({ operator }) => operator[key] !== undefined);
    for (const { path } of further) {
      const message = `\`${key}\` is given by an operator before: operators share a process`;
      findings.problem("contradiction", [...path, key], message, "key");
    }
  }
}

function sourceOf({ operator, path }: Written, findings: Findings): string {
  for (const key of ["shared-library", "wasm"] as const) {
    if (operator[key] === undefined) continue;
    const message = `\`${key}\` is not supported: make the operator a node, with \`path\``;
    findings.problem("unsupported", [...path, key], message, "key");
  }
  const { python, javascript } = operator;
  if (typeof python === "object" && python.conda_env !== undefined) {
    const message = "`conda_env` is not supported: run `conda run` as a node, with `path`";
    findings.problem("unsupported", [...path, "python", "conda_env"], message, "key");
  }
  const sources = [javascript, python, operator["shared-library"], operator.wasm];
  const given = sources.filter((source) => source !== undefined).length;
  if (given !== 1) {
    const found = given === 0 ? "nothing" : "several things";
    const message = `the operator has ${found} to run: give \`javascript\` or \`python\``;
    findings.problem(given === 0 ? "missing-key" : "contradiction", path, message);
  }
  return javascript ?? (typeof python === "object" ? python.source : python) ?? "";
}
