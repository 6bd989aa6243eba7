import type { LinkTransport } from "../protocol/node-messages.ts";
import type {
  Dataflow,
  DataflowInput,
  DataflowInputSource,
  DataflowNode,
  DataflowOperator,
  DataflowOutput,
  NodeSource,
  RestartRules,
  Thresholds,
  TransportName,
} from "./dataflow.ts";
import { DEFAULT_TRANSPORT, FORMATS_AVAILABLE, TRANSPORTS_LATER } from "./dataflow.ts";
import type {
  DataflowFileContent,
  FileInput,
  FileNode,
  FileOperator,
  FileOutput,
  FileThresholds,
  FileTransport,
} from "./file-schema.ts";
import type { FilePath, FileText, Problem } from "./file-text.ts";
import { expandVariables, parseTimer, splitWords } from "./quantities.ts";

/** dora-rs's default. */
const QUEUE_SIZE = 10;
const FINISH_GRACE_SECONDS = 10;
const RESTART_DELAY_SECONDS = 1;
const RESTART_DELAY_MAX_SECONDS = 60;

const LOGS = /^dora\/logs(?:\/(error|warn|info|debug|trace|stdout)(?:\/([\w.-]+))?)?$/;
const OUTPUT = /^([\w.-]+)\/(.+)$/;

/** Makes the model of a file whose shape is right, and collects what is wrong with its values. */
export class DataflowBuilder {
  readonly #file: FileText;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  readonly #problems: Problem[];
  readonly #warnings: Problem[];

  constructor(
    file: FileText,
    environment: Readonly<Record<string, string | undefined>>,
    problems: Problem[],
    warnings: Problem[],
  ) {
    this.#file = file;
    this.#environment = environment;
    this.#problems = problems;
    this.#warnings = warnings;
  }

  build(content: DataflowFileContent): Dataflow {
    const defaults = {
      transport: this.#transport(content.default_transport, ["default_transport"]),
      format: content.default_data_format ?? "arrow",
    };
    if (content.default_data_format !== undefined) {
      this.#checkFormat(content.default_data_format, ["default_data_format"]);
    }
    if (content.exit_when_nodes_finish !== undefined) {
      const message = "`exit_when_nodes_finish` has no effect: a dataflow ends with its last node";
      this.#warnings.push(this.#file.problemAtKey(["exit_when_nodes_finish"], message));
    }
    return {
      nodes: content.nodes.map((node, index) => this.#node(node, ["nodes", index], defaults)),
      environment: this.#variables(content.env, ["env"]),
      thresholds: thresholdsOf(content.thresholds),
    };
  }

  #node(
    node: FileNode,
    path: FilePath,
    defaults: { readonly transport: LinkTransport; readonly format: DataflowOutput["format"] },
  ): DataflowNode {
    const { custom } = node;
    if (custom !== undefined) {
      const message = "`custom` is of dora-rs 0.x: give `path` in the place of `custom.source`";
      this.#warnings.push(this.#file.problemAtKey([...path, "custom"], message));
    }
    const operators = this.#operators(node, path);
    if (node.data_format !== undefined) {
      this.#checkFormat(node.data_format, [...path, "data_format"]);
    }
    const format = node.data_format ?? defaults.format;
    const inputs = { ...custom?.inputs, ...node.inputs };
    const outputs = [...(custom?.outputs ?? []), ...(node.outputs ?? [])];
    return {
      id: node.id,
      name: node.name ?? node.id,
      description: node.description ?? "",
      source: this.#source(node, path, operators.list),
      build: linesOf(node.build ?? custom?.build),
      inputs: [
        ...Object.entries(inputs).map(([id, input]) =>
          this.#input(id, input, [...path, "inputs", id], defaults.transport),
        ),
        ...operators.inputs.map(({ id, input, path: at }) =>
          this.#input(id, input, at, defaults.transport),
        ),
      ],
      outputs: [...outputs, ...operators.outputs].map((output) => toOutput(output, format)),
      environment: this.#variables({ ...custom?.envs, ...node.env }, [...path, "env"]),
      parameters: node.parameters ?? {},
      restart: restartRules(node),
      healthCheckTimeoutMs: 1000 * (node.health_check_timeout ?? 0),
      finishGraceMs: 1000 * (node.finish_grace_secs ?? FINISH_GRACE_SECONDS),
      sendStdoutAs: node.send_stdout_as,
      minLogLevel: node.min_log_level,
      cpuAffinity: node.cpu_affinity ?? [],
      machine: node.deploy?.machine,
      thresholds: thresholdsOf(node.thresholds),
    };
  }

  #source(node: FileNode, path: FilePath, operators: readonly DataflowOperator[]): NodeSource {
    const given = [
      node.path === undefined ? [] : ["path"],
      node.custom === undefined ? [] : ["custom"],
      node.operator === undefined ? [] : ["operator"],
      node.operators === undefined ? [] : ["operators"],
    ].flat();
    if (given.length !== 1) {
      const found = given.length === 0 ? "nothing" : given.map((key) => `\`${key}\``).join(" and ");
      this.#problem(
        path,
        `node \`${node.id}\` has ${found} to run: give \`path\` or \`operators\``,
      );
    }
    if (operators.length > 0) return { kind: "operators", operators };
    const text = node.path ?? node.custom?.source ?? "";
    if (text === "dynamic") return { kind: "dynamic" };
    const key = node.path === undefined ? "custom" : "path";
    if (/^https?:\/\//.test(text)) {
      const message =
        "a node is not loaded from an address: fetch it in `build`, and give its file";
      this.#problem([...path, key], message);
    }
    const args = splitWords(node.args ?? node.custom?.args ?? "");
    if (args === undefined) this.#problem([...path, "args"], "a quote in `args` does not end");
    return {
      kind: "executable",
      path: this.#expand(text, [...path, key]),
      args: (args ?? []).map((word) => this.#expand(word, [...path, "args"])),
    };
  }

  /** Operators are run by one node: their inputs and outputs are its own, as `operator/port`. */
  #operators(node: FileNode, path: FilePath) {
    const written: readonly { readonly operator: FileOperator; readonly path: FilePath }[] = [
      ...(node.operator === undefined
        ? []
        : [{ operator: node.operator, path: [...path, "operator"] }]),
      ...(node.operators ?? []).map((operator, index) => ({
        operator,
        path: [...path, "operators", index],
      })),
    ];
    const list: DataflowOperator[] = [];
    const inputs: { readonly id: string; readonly input: FileInput; readonly path: FilePath }[] =
      [];
    const outputs: FileOutput[] = [];
    for (const { operator, path: at } of written) {
      // A single operator has its node's ports as they are; dora-rs calls it `op`.
      const isSingle = node.operator !== undefined;
      const id = operator.id ?? "op";
      const portOf = (port: string): string => (isSingle ? port : `${id}/${port}`);
      for (const [port, input] of Object.entries(operator.inputs ?? {})) {
        inputs.push({ id: portOf(port), input, path: [...at, "inputs", port] });
      }
      for (const output of operator.outputs ?? []) {
        outputs.push(
          typeof output === "string" ? portOf(output) : { ...output, id: portOf(output.id) },
        );
      }
      list.push({
        id,
        source: this.#operatorSource(operator, at),
        inputs: Object.keys(operator.inputs ?? {}).map(portOf),
        outputs: (operator.outputs ?? []).map((output) =>
          portOf(typeof output === "string" ? output : output.id),
        ),
      });
    }
    return { list, inputs, outputs };
  }

  #operatorSource(operator: FileOperator, path: FilePath): string {
    if (operator["shared-library"] !== undefined) {
      const message = "an operator cannot be a shared library: make it a node, with `path`";
      this.#problem([...path, "shared-library"], message);
    }
    const { python } = operator;
    if (typeof python === "object" && python.conda_env !== undefined) {
      const message = "conda environments are not entered: run `conda run` as a node, with `path`";
      this.#problem([...path, "python", "conda_env"], message);
    }
    const source = operator.javascript ?? (typeof python === "object" ? python.source : python);
    if (source === undefined && operator["shared-library"] === undefined) {
      this.#problem(path, "the operator has nothing to run: give `javascript` or `python`");
    }
    return this.#expand(source ?? "", path);
  }

  #input(
    id: string,
    input: FileInput,
    path: FilePath,
    defaultTransport: LinkTransport,
  ): DataflowInput {
    const long = typeof input === "string" ? { source: input } : input;
    const sourcePath = typeof input === "string" ? path : [...path, "source"];
    const transport =
      long.transport === undefined
        ? defaultTransport
        : this.#transport(long.transport, [...path, "transport"]);
    return {
      id,
      source: this.#inputSource(long.source, sourcePath, transport),
      queueSize: long.queue_size ?? QUEUE_SIZE,
      queuePolicy: long.queue_policy ?? "drop_oldest",
      inputTimeoutMs: long.input_timeout === undefined ? undefined : 1000 * long.input_timeout,
    };
  }

  #inputSource(source: string, path: FilePath, transport: LinkTransport): DataflowInputSource {
    if (source.startsWith("dora/timer/")) {
      const intervalNs = parseTimer(source);
      if (intervalNs !== undefined) return { kind: "timer", intervalNs };
      const known = "give dora/timer/millis/100, or secs, micros, nanos, hz";
      this.#problem(path, `\`${source}\` is no timer: ${known}, up to a day`);
      return { kind: "timer", intervalNs: 1e9 };
    }
    const logs = LOGS.exec(source);
    if (logs !== null) return { kind: "logs", level: logs[1] ?? "trace", node: logs[2] };
    if (source.startsWith("dora/")) {
      this.#problem(
        path,
        `\`${source}\` is unknown: there are dora/timer/… and dora/logs[/LEVEL[/NODE]]`,
      );
    }
    const [, node, output] = OUTPUT.exec(source) ?? [];
    if (node !== undefined && output !== undefined) {
      return { kind: "output", node, output, transport };
    }
    this.#problem(path, `\`${source}\` is no source: give \`node/output\``);
    return { kind: "timer", intervalNs: 1e9 };
  }

  #transport(transport: FileTransport | undefined, path: FilePath): LinkTransport {
    if (transport === undefined) return { kind: DEFAULT_TRANSPORT, options: {} };
    const { kind, ...options } = typeof transport === "string" ? { kind: transport } : transport;
    if (!isAvailable(kind)) {
      this.#problem(path, `transport \`${kind}\` is not available in this version yet`);
      return { kind: DEFAULT_TRANSPORT, options: {} };
    }
    return { kind, options };
  }

  #checkFormat(format: DataflowOutput["format"], path: FilePath): void {
    if (FORMATS_AVAILABLE.includes(format)) return;
    const known = FORMATS_AVAILABLE.join(", ");
    this.#problem(path, `format \`${format}\` is not available in this version yet: give ${known}`);
  }

  #variables(
    variables: Readonly<Record<string, string | number | boolean>> | undefined,
    path: FilePath,
  ): Readonly<Record<string, string>> {
    return Object.fromEntries(
      Object.entries(variables ?? {}).map(([name, value]) => [
        name,
        this.#expand(String(value), [...path, name]),
      ]),
    );
  }

  #expand(text: string, path: FilePath): string {
    return expandVariables(text, this.#environment, (name) => {
      const message = `\`$${name}\` is not set: it stands for nothing (write $$ for a $)`;
      this.#warnings.push(this.#file.problemAt(path, message));
    });
  }

  #problem(path: FilePath, message: string): void {
    this.#problems.push(this.#file.problemAt(path, message));
  }
}

function isAvailable(kind: TransportName): kind is LinkTransport["kind"] {
  return !TRANSPORTS_LATER.includes(kind);
}

function toOutput(output: FileOutput, format: DataflowOutput["format"]): DataflowOutput {
  const long = typeof output === "string" ? { id: output, schema: undefined } : output;
  return { id: long.id, format, schema: long.schema };
}

function linesOf(text: string | undefined): readonly string[] {
  return (text ?? "")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

function restartRules(node: FileNode): RestartRules {
  return {
    policy: node.restart_policy ?? "never",
    restartsMax: node.max_restarts ?? 0,
    delayMs: 1000 * (node.restart_delay ?? RESTART_DELAY_SECONDS),
    delayMaxMs: 1000 * (node.max_restart_delay ?? RESTART_DELAY_MAX_SECONDS),
    windowMs: 1000 * (node.restart_window ?? 0),
  };
}

function thresholdsOf(thresholds: FileThresholds | undefined): Thresholds {
  return {
    latencyMs: thresholds?.latency_ms,
    memoryMb: thresholds?.memory_mb,
    errorsPerMinute: thresholds?.errors_per_minute,
  };
}
