import type { LinkTransport } from "../protocol/node-messages.ts";
import { buildOperators, outputId } from "./build-operators.ts";
import type {
  Dataflow,
  DataflowInput,
  DataflowNode,
  DataflowOperator,
  DataFormat,
  NodeSource,
  RestartRules,
  Thresholds,
} from "./dataflow.ts";
import { DEFAULT_TRANSPORT, FORMATS_AVAILABLE } from "./dataflow.ts";
import type { ContentNode, FileContent } from "./file-content.ts";
import type { FileEnvironment, FileInput, FileThresholds } from "./file-schema.ts";
import type { FilePath, FileText } from "./file-text.ts";
import type { FileTransport } from "./file-transport.ts";
import type { Findings } from "./findings.ts";
import { parseInputSource } from "./input-source.ts";
import { expandVariables, splitWords } from "./quantities.ts";

/** dora-rs's default. */
const QUEUE_SIZE = 10;
const FINISH_GRACE_SECONDS = 10;
const RESTART_DELAY_SECONDS = 1;
const RESTART_DELAY_MAX_SECONDS = 60;
/** Variables of a node's process that the daemon sets itself. */
const RESERVED: ReadonlySet<string> = new Set([
  "DORA_NODE_ID",
  "DORA_DATAFLOW_ID",
  "DORA_DAEMON_SOCKET",
  "DORA_NODE_TOKEN",
  "TRACEPARENT",
]);

type Environment = Readonly<Record<string, string | undefined>>;

/** A node as it was built, and where its parts stand in the file. */
export interface BuiltNode {
  readonly node: DataflowNode;
  readonly content: ContentNode;
  /** In the order of the node's inputs. */
  readonly inputPaths: readonly FilePath[];
  /** In the order of the node's outputs. */
  readonly outputPaths: readonly FilePath[];
}

export interface BuiltDataflow {
  readonly dataflow: Dataflow;
  readonly nodes: readonly BuiltNode[];
}

/** Makes the model of a file whose shape is right, and tells of what is wrong with its values. */
export class DataflowBuilder {
  readonly #file: FileText;
  readonly #environment: Environment;
  readonly #findings: Findings;

  constructor(file: FileText, environment: Environment, findings: Findings) {
    this.#file = file;
    this.#environment = environment;
    this.#findings = findings;
  }

  build({ root, nodes }: FileContent): BuiltDataflow {
    const transport = this.#transport(root.default_transport, ["default_transport"]);
    this.#checkFormat(root.default_data_format, ["default_data_format"]);
    if (root.exit_when_nodes_finish === true) {
      const message = "`exit_when_nodes_finish` has no effect: a dataflow ends with its last node";
      this.#findings.warn("unsupported", ["exit_when_nodes_finish"], message, "key");
    }
    const defaults: Defaults = {
      transport,
      format: root.default_data_format ?? "arrow",
      environment: this.#variables(root.env, ["env"]),
    };
    const built = nodes.map((node) => this.#node(node, defaults));
    const dataflow = {
      ...(root.name === undefined ? {} : { name: root.name }),
      nodes: built.map(({ node }) => node),
      environment: defaults.environment,
      thresholds: thresholdsOf(root.thresholds),
    };
    return { dataflow, nodes: built };
  }

  #node(content: ContentNode, defaults: Defaults): BuiltNode {
    const { node, path } = content;
    const { custom } = node;
    if (custom !== undefined) {
      const message = "`custom` is of dora-rs 0.x: give `path` in the place of `custom.source`";
      this.#findings.warn("legacy", [...path, "custom"], message, "key");
    }
    if (node.deploy !== undefined) {
      const message = "`deploy` has no effect: a dataflow runs on one machine";
      this.#findings.warn("unsupported", [...path, "deploy"], message, "key");
    }
    const operators = buildOperators(node, path, this.#findings);
    this.#checkFormats(content);
    const format = node.data_format ?? defaults.format;
    const inputs = [
      ...portsOf(custom?.inputs, [...path, "custom", "inputs"]),
      ...portsOf(node.inputs, [...path, "inputs"]),
      ...operators.inputs,
    ].flatMap(({ id, input, path: at }) => {
      const built = this.#input(id, input, at, defaults.transport);
      return built === undefined ? [] : [{ input: built, path: at }];
    });
    const outputs = [
      ...(custom?.outputs ?? []).map((output, index) => {
        return { output, format: undefined, path: [...path, "custom", "outputs", index] };
      }),
      ...(node.outputs ?? []).map((output, index) => {
        return { output, format: undefined, path: [...path, "outputs", index] };
      }),
      ...operators.outputs,
    ];
    const environment = {
      ...this.#variables(custom?.envs, [...path, "custom", "envs"]),
      ...this.#variables(node.env, [...path, "env"]),
    };
    return {
      content,
      inputPaths: inputs.map(({ path: at }) => at),
      outputPaths: outputs.map(({ path: at }) => at),
      node: {
        id: node.id,
        name: node.name ?? node.id,
        description: node.description ?? "",
        source: this.#source(content, operators.operators, {
          ...this.#environment,
          ...defaults.environment,
          ...environment,
        }),
        build: [node.build, custom?.build, ...operators.build].flatMap(linesOf),
        inputs: inputs.map(({ input }) => input),
        outputs: outputs.map(({ output, format: own }) => ({
          id: outputId(output),
          format: own ?? format,
          schema: typeof output === "string" ? undefined : output.schema,
        })),
        environment,
        parameters: node.parameters ?? {},
        restart: restartRules(node),
        healthCheckTimeoutMs: 1000 * (node.health_check_timeout ?? 0),
        finishGraceMs: 1000 * (node.finish_grace_secs ?? FINISH_GRACE_SECONDS),
        sendStdoutAs: node.send_stdout_as ?? custom?.send_stdout_as ?? operators.sendStdoutAs,
        minLogLevel: (node.min_log_level ?? operators.minLogLevel)?.toLowerCase(),
        cpuAffinity: node.cpu_affinity ?? [],
        machine: node.deploy?.machine,
        thresholds: thresholdsOf(node.thresholds),
      },
    };
  }

  #source(
    { node, path, isSourceTold }: ContentNode,
    operators: readonly DataflowOperator[],
    environment: Environment,
  ): NodeSource {
    const given = (["path", "custom", "operator", "operators"] as const).filter(
      (key) => node[key] !== undefined,
    );
    if (given.length === 0 && !isSourceTold) {
      const message = `node \`${node.id}\` has nothing to run: give \`path\` or \`operators\``;
      this.#findings.problem("missing-key", path, message);
    }
    for (const key of given.slice(1)) {
      const message = `\`${key}\` cannot stand beside \`${given[0]}\`: a node runs one thing`;
      this.#findings.problem("contradiction", [...path, key], message, "key");
    }
    const at = node.path === undefined ? [...path, "custom", "source"] : [...path, "path"];
    const written = node.path ?? node.custom?.source;
    if (written === undefined) {
      return { kind: "operators", operators: operators.map((one) => ({ ...one })) };
    }
    if (written === "dynamic") return { kind: "dynamic" };
    if (written === "" || /^[a-z][a-z0-9+.-]*:\/\//i.test(written)) {
      const message =
        written === ""
          ? "the path is empty: give a file or a program"
          : "a node is not loaded from an address: fetch it in `build`, and give its file";
      this.#findings.problem(written === "" ? "wrong-value" : "unsupported", at, message);
    }
    return {
      kind: "executable",
      path: this.#expand(written, at, environment),
      args: this.#args(node.args ?? node.custom?.args ?? "", written, {
        node: node.args !== undefined,
        path,
      }),
    };
  }

  /** Of `shell`, the whole is one line, which the shell splits and expands itself. */
  #args(
    args: string,
    program: string,
    written: { readonly node: boolean; readonly path: FilePath },
  ): readonly string[] {
    if (program === "shell") return args === "" ? [] : [args];
    const words = splitWords(args);
    if (words !== undefined) return words;
    const at = written.node ? ["args"] : ["custom", "args"];
    const message = "a quote in `args` does not end: close it";
    this.#findings.problem("wrong-value", [...written.path, ...at], message);
    return [];
  }

  #input(
    id: string,
    written: FileInput,
    path: FilePath,
    defaultTransport: LinkTransport,
  ): DataflowInput | undefined {
    const long = typeof written === "string" ? { source: written } : written;
    const transport =
      long.transport === undefined
        ? defaultTransport
        : this.#transport(long.transport, [...path, "transport"]);
    const source = parseInputSource(long.source.trim(), transport);
    if (typeof source === "string") {
      const at = typeof written === "string" ? path : [...path, "source"];
      this.#findings.problem("wrong-value", at, source);
      return undefined;
    }
    if (source.kind !== "output" && long.transport !== undefined) {
      const message = "`transport` has no effect on timers and logs: they do not come by a link";
      this.#findings.warn("contradiction", [...path, "transport"], message, "key");
    }
    return {
      id,
      source,
      queueSize: long.queue_size ?? QUEUE_SIZE,
      queuePolicy: long.queue_policy ?? "drop_oldest",
      inputTimeoutMs: long.input_timeout === undefined ? undefined : 1000 * long.input_timeout,
    };
  }

  #transport(written: FileTransport | undefined, path: FilePath): LinkTransport {
    const { kind, ...options } =
      typeof written === "object" ? written : { kind: written ?? DEFAULT_TRANSPORT };
    if (kind === "zenoh" || kind === "quic") {
      const message = `transport \`${kind}\` is not available in this version yet: give socket, tcp, websocket, grpc, redis or mqtt`;
      this.#findings.problem("unsupported", path, message);
      return { kind: DEFAULT_TRANSPORT, options: {} };
    }
    const known: Record<string, string | number> = {};
    for (const [name, value] of Object.entries(options)) {
      if (typeof value !== "string" && typeof value !== "number") continue;
      known[name === "idle_ms" ? "idleMs" : name] = value;
    }
    return { kind, options: known };
  }

  #checkFormats({ node, path }: ContentNode): void {
    this.#checkFormat(node.data_format, [...path, "data_format"]);
    this.#checkFormat(node.operator?.data_format, [...path, "operator", "data_format"]);
    for (const [index, { data_format: format }] of (node.operators ?? []).entries()) {
      this.#checkFormat(format, [...path, "operators", index, "data_format"]);
    }
  }

  #checkFormat(format: DataFormat | undefined, path: FilePath): void {
    if (format === undefined || FORMATS_AVAILABLE.includes(format)) return;
    const known = FORMATS_AVAILABLE.join(", ");
    const message = `format \`${format}\` is not available in this version yet: give ${known}`;
    this.#findings.problem("unsupported", path, message);
  }

  #variables(
    variables: FileEnvironment | undefined,
    path: FilePath,
  ): Readonly<Record<string, string>> {
    return Object.fromEntries(
      Object.entries(variables ?? {}).map(([name, value]) => {
        const at = [...path, name];
        if (RESERVED.has(name)) {
          const message = `\`${name}\` is set by the daemon: this value has no effect`;
          this.#findings.warn("contradiction", at, message, "key");
        }
        const text = typeof value === "object" ? `\${${value.__dora_env}}` : this.#text(value, at);
        return [name, this.#expand(text, at, this.#environment)];
      }),
    );
  }

  /** A number too large for one of JavaScript is the text that is written. */
  #text(value: string | number | boolean, path: FilePath): string {
    if (typeof value !== "number" || Math.abs(value) <= Number.MAX_SAFE_INTEGER) {
      return String(value);
    }
    return this.#file.sourceOf(path) ?? String(value);
  }

  #expand(text: string, path: FilePath, environment: Environment): string {
    return expandVariables(text, environment, (name) => {
      const message = `\`$${name}\` is not set here, and stands for nothing: set it, or write $$ for a $`;
      this.#findings.warn("unset-variable", path, message);
    });
  }
}

interface Defaults {
  readonly transport: LinkTransport;
  readonly format: DataFormat;
  readonly environment: Readonly<Record<string, string>>;
}

function portsOf(inputs: Readonly<Record<string, FileInput>> | undefined, path: FilePath) {
  return Object.entries(inputs ?? {}).map(([id, input]) => ({ id, input, path: [...path, id] }));
}

function linesOf(text: string | undefined): readonly string[] {
  return (text ?? "")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

function restartRules(node: ContentNode["node"]): RestartRules {
  const delayMs = 1000 * (node.restart_delay ?? RESTART_DELAY_SECONDS);
  return {
    policy: node.restart_policy ?? "never",
    restartsMax: node.max_restarts ?? 0,
    delayMs,
    delayMaxMs: Math.max(delayMs, 1000 * (node.max_restart_delay ?? RESTART_DELAY_MAX_SECONDS)),
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
