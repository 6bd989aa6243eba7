import { z } from "zod";
import { DATA_FORMATS } from "./dataflow.ts";
import { fileTransport } from "./file-transport.ts";

/**
 * Shapes of a dataflow file. A message says what to give; what was found is put before it. Keys of
 * dora-rs that are not carried out are in `unsupported-keys.ts`.
 */

/** Numbers that a file may not exceed: more is a mistake, or somebody's attempt. */
export const NODES_MAX = 1000;
/** Inputs of a node; outputs too. */
export const PORTS_MAX = 1000;
export const QUEUE_SIZE_MAX = 1_000_000;
const SECONDS_MAX = 7 * 24 * 3600;

/** Ids stand in paths, topics and addresses. */
const ID = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/;
/** Of an output or input; those of operators have a `/` within. */
const PORT = /^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/;
const PORT_LENGTH_MAX = 256;

const id = z
  .string("give an id: letters, digits, `_`, `-` and `.`")
  .regex(ID, "an id has at most 128 letters, digits, `_`, `-` and `.`, the latter not first");
/** As the coordinator takes it. */
const dataflowName = z
  .string("give a name: letters, digits, `_`, `-` and `.`")
  .regex(
    /^\w[\w.-]{0,99}$/,
    "a name has at most 100 letters, digits, `_`, `-` and `.`, and begins with a letter, a digit or `_`",
  );
const nodeId = id.refine(
  (text) => text !== "dora",
  "`dora` is taken by virtual inputs: give another id",
);
const portId = z
  .string("give an id: letters, digits, `_`, `-` and `.`")
  .regex(PORT, "an id has letters, digits, `_`, `-` and `.`")
  .max(PORT_LENGTH_MAX, `an id has at most ${PORT_LENGTH_MAX} characters`);
const text = z.string("give a text");
const seconds = z
  .number("give seconds, such as 2.5")
  .min(0, "give 0 or more seconds")
  .max(SECONDS_MAX, `give at most ${SECONDS_MAX} seconds`);
const count = z.int("give a whole number").min(0, "give 0 or more");
const logLevel = z
  .string("give error, warn, info, debug, trace or stdout")
  .regex(
    /^(?:error|warn|info|debug|trace|stdout)$/i,
    "give error, warn, info, debug, trace or stdout",
  );

const environment = z.record(
  z.string().regex(/^[^=\s\0]+$/, "the name of a variable has no `=` and no white space"),
  z.union(
    [z.string(), z.number(), z.boolean(), z.strictObject({ __dora_env: z.string("give a name") })],
    "give a text, a number, true or false",
  ),
  "give a map of names to values",
);
const dataFormat = z.enum(DATA_FORMATS, `give ${DATA_FORMATS.join(", ")}`);
const positive = z.number("give a number").positive("give more than 0");
const thresholds = z
  .strictObject(
    {
      latency_ms: positive.describe("of a message, from its sending to its handling").optional(),
      memory_mb: positive.describe("of a node's process").optional(),
      errors_per_minute: positive.describe("error records of a node").optional(),
    },
    "give a map of latency_ms, memory_mb and errors_per_minute",
  )
  .describe("past them a warning is logged; a node's own win over the file's");

const input = z.union(
  [
    z.string(),
    z.strictObject({
      source: z
        .string("give node/output, dora/timer/millis/100 or dora/logs")
        .describe("node/output, dora/timer/UNIT/N or dora/logs[/LEVEL[/NODE]]"),
      queue_size: z
        .int("give a whole number")
        .min(1, "a queue holds 1 message at least")
        .max(QUEUE_SIZE_MAX, `a queue holds ${QUEUE_SIZE_MAX} messages at most`)
        .describe("messages that wait for the node at most (10)")
        .optional(),
      queue_policy: z
        .enum(["drop_oldest", "backpressure"], "give drop_oldest or backpressure")
        .describe("what a full queue does: drop the oldest and count it, or make the sender wait")
        .optional(),
      input_timeout: seconds
        .describe("seconds without a message after which the input counts as closed")
        .optional(),
      transport: fileTransport.describe("how messages come to this input").optional(),
    }),
  ],
  "give node/output, or a map with `source`",
);
const inputs = z
  .record(portId, input, "give a map of ids to sources")
  .refine((map) => Object.keys(map).length <= PORTS_MAX, `a node has ${PORTS_MAX} inputs at most`)
  .describe("where each input's messages come from");
const output = z.union(
  [
    portId,
    z.strictObject({
      id: portId,
      schema: z
        .union(
          [z.string(), z.record(z.string(), z.string("give the name of a type"))],
          "give a type, or a map of fields to types",
        )
        .describe("type of its values, or a map of fields to types")
        .optional(),
    }),
  ],
  "give an id, or a map with `id` and `schema`",
);
const outputs = z
  .array(output, "give a list of ids")
  .max(PORTS_MAX, `a node has ${PORTS_MAX} outputs at most`)
  .describe("ids of what the node sends");

const ports = {
  inputs: inputs.optional(),
  outputs: outputs.optional(),
  output_framing: z
    .record(portId, z.enum(["raw", "arrow-ipc"], "give raw or arrow-ipc"), "give a map of outputs")
    .describe("of dora-rs; receivers get the same values either way")
    .optional(),
};
const build = text.describe("commands, one a line, that `dora build` runs in this folder");
const sendStdoutAs = portId.describe("output that gets each line of standard output");
const minLogLevel = logLevel.describe("records below it are not kept");

/** `operator`, and each of `operators`: what runs within a process that we start. */
const operator = z.strictObject(
  {
    id: id.optional(),
    name: text.optional(),
    description: text.optional(),
    javascript: text.describe("module of the operator").optional(),
    python: z
      .union(
        [
          z.string(),
          z.strictObject({ source: text, conda_env: z.string("give a name").optional() }),
        ],
        "give a file, or a map with `source`",
      )
      .describe("file of the operator")
      .optional(),
    "shared-library": text.describe("not supported").optional(),
    wasm: text.describe("not supported").optional(),
    build: build.optional(),
    data_format: dataFormat.optional(),
    send_stdout_as: sendStdoutAs.optional(),
    min_log_level: minLogLevel.optional(),
    ...ports,
  },
  "give a map with `javascript` or `python`",
);

export const FileNode = z.strictObject(
  {
    id: nodeId.describe("letters, digits, `_`, `-` and `.`; unique in the file"),
    name: text.describe("what people see in the place of the id").optional(),
    description: text.optional(),
    path: text
      .describe("file or program to run, `shell` for a command line in `args`, or `dynamic`")
      .optional(),
    args: text.describe("arguments, quoted as in a shell").optional(),
    operator: operator.optional(),
    operators: z
      .array(operator.extend({ id }), "give a list of operators")
      .max(PORTS_MAX, `a node has ${PORTS_MAX} operators at most`)
      .optional(),
    custom: z
      .strictObject({
        source: text,
        args: text.optional(),
        envs: environment.optional(),
        build: text.optional(),
        send_stdout_as: sendStdoutAs.optional(),
        inputs: inputs.optional(),
        outputs: outputs.optional(),
      })
      .describe("of dora-rs 0.x: give `path`")
      .optional(),
    build: build.optional(),
    ...ports,
    env: environment.describe("variables of the node's process").optional(),
    parameters: z
      .record(
        z.string(),
        z.union(
          [
            z.string(),
            z.number(),
            z.boolean(),
            z.array(z.union([z.string(), z.number(), z.boolean()])),
          ],
          "give a text, a number, true, false, or a list of these",
        ),
        "give a map of names to values",
      )
      .describe("values that the node reads, and that may change while it runs")
      .optional(),
    data_format: dataFormat.describe("wins over `default_data_format`").optional(),
    send_stdout_as: sendStdoutAs.optional(),
    min_log_level: minLogLevel.optional(),
    thresholds: thresholds.optional(),
    restart_policy: z
      .enum(["never", "on-failure", "always"], "give never, on-failure or always")
      .describe("when the process is started again (never)")
      .optional(),
    max_restarts: count.describe("0 is without a limit (0)").optional(),
    restart_delay: seconds.describe("seconds; doubles with each restart (1)").optional(),
    max_restart_delay: seconds.describe("seconds; the delay grows no further (60)").optional(),
    restart_window: seconds
      .describe("seconds over which restarts are counted; 0 is since the start (0)")
      .optional(),
    health_check_timeout: seconds
      .describe("seconds without a sign of life after which the node has failed; 0 is never (0)")
      .optional(),
    finish_grace_secs: seconds
      .describe("seconds between being asked to stop and being made to (10)")
      .optional(),
    cpu_affinity: z
      .array(count, "give a list of processors, such as [0, 2]")
      .max(1024, "give 1024 processors at most")
      .describe("processors that the process may use")
      .optional(),
    deploy: z
      .strictObject({
        machine: text.optional(),
        working_dir: text.optional(),
        labels: z.record(z.string(), z.string(), "give a map of texts").optional(),
        distribute: z.enum(["local", "scp", "http"], "give local, scp or http").optional(),
      })
      .describe("of dora-rs; a dataflow runs on one machine")
      .optional(),
  },
  "a node is a map with an `id`",
);

/** All of a file but the nodes, which are read one by one. */
export const FileRoot = z.strictObject(
  {
    name: dataflowName.describe("what the dataflow is called (the file's name)").optional(),
    nodes: z
      .array(z.unknown(), "give a list of nodes")
      .min(1, "a dataflow has one node at least")
      .max(NODES_MAX, `a dataflow has ${NODES_MAX} nodes at most`),
    env: environment.describe("variables of all nodes' processes").optional(),
    default_data_format: dataFormat.describe("format of payloads (arrow)").optional(),
    default_transport: fileTransport.describe("how messages go (socket)").optional(),
    thresholds: thresholds.optional(),
    exit_when_nodes_finish: z.boolean("give true or false").optional(),
  },
  "a dataflow file is a map with `nodes`",
);

/** The whole, for editors. */
export const DataflowFile = FileRoot.extend({ nodes: z.array(FileNode).min(1).max(NODES_MAX) });

export type FileRoot = z.infer<typeof FileRoot>;
export type FileNode = z.infer<typeof FileNode>;
export type FileOperator = z.infer<typeof operator>;
export type FileInput = z.infer<typeof input>;
export type FileOutput = z.infer<typeof output>;
export type FileThresholds = z.infer<typeof thresholds>;
export type FileEnvironment = z.infer<typeof environment>;
