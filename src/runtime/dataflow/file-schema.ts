import { z } from "zod";
import { DATA_FORMATS, TRANSPORTS } from "./dataflow.ts";

/** Numbers that a file may not exceed: more is a mistake, or somebody's attempt. */
export const NODES_MAX = 1000;
export const PORTS_MAX = 1000;
export const QUEUE_SIZE_MAX = 1_000_000;

/** Ids stand in paths, topics and addresses. */
const ID = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/;
const SECONDS_MAX = 7 * 24 * 3600;

const id = z
  .string("an id is a text")
  .regex(ID, "an id has letters, digits, `_`, `-` and `.`, not at its start; at most 128")
  .refine((text) => text !== "dora", "the id `dora` is taken by virtual inputs");
const text = z.string("give a text");
const seconds = z
  .number("give seconds, such as 2.5")
  .min(0, "give 0 or more seconds")
  .max(SECONDS_MAX, `give at most ${SECONDS_MAX} seconds`);
const count = z.number("give a whole number").int("give a whole number").min(0, "give 0 or more");
const environment = z.record(
  z.string().regex(/^[A-Za-z_]\w*$/, "a variable's name has letters, digits and `_`"),
  z.union([z.string(), z.number(), z.boolean()], "a variable is a text, a number, true or false"),
);
const transport = z.union(
  [
    z.enum(TRANSPORTS),
    z.object({ kind: z.enum(TRANSPORTS) }).catchall(z.union([z.string(), z.number(), z.boolean()])),
  ],
  `give one of ${TRANSPORTS.join(", ")}, or a map with such a \`kind\` and its options`,
);
const dataFormat = z.enum(DATA_FORMATS, `give one of ${DATA_FORMATS.join(", ")}`);
const thresholds = z.strictObject({
  latency_ms: z.number("give milliseconds").positive("give more than 0").optional(),
  memory_mb: z.number("give megabytes").positive("give more than 0").optional(),
  errors_per_minute: z.number("give a number").positive("give more than 0").optional(),
});

const input = z.union(
  [
    z.string(),
    z.strictObject({
      source: z.string("give `source: node/output`"),
      queue_size: z
        .number("give a whole number")
        .int("give a whole number")
        .min(1, "a queue holds 1 message at least")
        .max(QUEUE_SIZE_MAX, `a queue holds ${QUEUE_SIZE_MAX} messages at most`)
        .optional(),
      queue_policy: z
        .enum(["drop_oldest", "backpressure"], "give drop_oldest or backpressure")
        .optional(),
      input_timeout: seconds.optional(),
      transport: transport.optional(),
    }),
  ],
  "give `node/output`, or a map with `source`",
);
const inputs = z.record(id, input);
const output = z.union(
  [
    id,
    z.strictObject({
      id,
      schema: z
        .union([z.string(), z.record(z.string(), z.string())], "give a type, or a map of types")
        .optional(),
    }),
  ],
  "give an id, or a map with `id` and `schema`",
);
const outputs = z.array(output, "give a list of ids").max(PORTS_MAX);

/** Keys of a node that say how it runs, whatever it runs. */
const commonKeys = {
  name: text.optional(),
  description: text.optional(),
  build: text.optional(),
  env: environment.optional(),
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
        "a parameter is a text, a number, true, false, or a list of these",
      ),
    )
    .optional(),
  inputs: inputs.optional(),
  outputs: outputs.optional(),
  data_format: dataFormat.optional(),
  send_stdout_as: id.optional(),
  min_log_level: z
    .enum(
      ["error", "warn", "info", "debug", "trace", "stdout"],
      "give error, warn, info, debug or trace",
    )
    .optional(),
  thresholds: thresholds.optional(),
};

const operatorKeys = {
  python: z
    .union([z.string(), z.strictObject({ source: z.string(), conda_env: z.string().optional() })])
    .optional(),
  javascript: text.optional(),
  "shared-library": text.optional(),
};

/** `operator` and each of `operators`. */
const operator = z.strictObject({ id: id.optional(), ...commonKeys, ...operatorKeys });

const node = z.strictObject({
  id,
  ...commonKeys,
  path: text.optional(),
  args: text.optional(),
  operator: operator.optional(),
  operators: z.array(operator.extend({ id }), "give a list of operators").max(PORTS_MAX).optional(),
  restart_policy: z
    .enum(["never", "on-failure", "always"], "give never, on-failure or always")
    .optional(),
  max_restarts: count.optional(),
  restart_delay: seconds.optional(),
  max_restart_delay: seconds.optional(),
  restart_window: seconds.optional(),
  health_check_timeout: seconds.optional(),
  finish_grace_secs: seconds.optional(),
  cpu_affinity: z.array(count, "give a list of cores").max(1024).optional(),
  deploy: z
    .strictObject({
      machine: text.optional(),
      working_dir: text.optional(),
      labels: z.record(z.string(), z.string()).optional(),
      distribute: z.unknown().optional(),
    })
    .optional(),
  /** dora-rs 0.x. */
  custom: z
    .strictObject({
      source: text,
      args: text.optional(),
      envs: environment.optional(),
      build: text.optional(),
      inputs: inputs.optional(),
      outputs: outputs.optional(),
    })
    .optional(),
});

/** A dataflow file, as it is written. Keys in `passed-over-keys.ts` are taken out before. */
export const DataflowFile = z.strictObject({
  nodes: z
    .array(node, "give a list of nodes")
    .min(1, "a dataflow has one node at least")
    .max(NODES_MAX, `a dataflow has ${NODES_MAX} nodes at most`),
  env: environment.optional(),
  default_data_format: dataFormat.optional(),
  default_transport: transport.optional(),
  thresholds: thresholds.optional(),
  exit_when_nodes_finish: z.unknown().optional(),
});

export type FileNode = z.infer<typeof node>;
export type FileOperator = z.infer<typeof operator>;
export type FileInput = z.infer<typeof input>;
export type FileOutput = z.infer<typeof output>;
export type FileTransport = z.infer<typeof transport>;
export type FileThresholds = z.infer<typeof thresholds>;
export type DataflowFileContent = z.infer<typeof DataflowFile>;
