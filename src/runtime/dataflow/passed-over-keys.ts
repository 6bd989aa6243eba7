/** What becomes of a key of dora-rs that this version does not carry out. */
export interface PassedOverKey {
  /** A problem ends the start; a warning says what is done in its place. */
  readonly as: "problem" | "warning";
  readonly advice: string;
}

/** Keys of the whole file. */
export const PASSED_OVER_ROOT_KEYS: ReadonlyMap<string, PassedOverKey> = new Map([
  ["communication", { as: "warning", advice: "of dora-rs 0.x; give `default_transport`" }],
  ["_unstable_deploy", { as: "warning", advice: "of dora-rs 0.x; give a node's `deploy`" }],
  ["_unstable_debug", { as: "warning", advice: "of dora-rs 0.x; every link is observable" }],
  ["debug", { as: "warning", advice: "every link is observable; look with `dora status`" }],
  ["deploy", { as: "warning", advice: "give `deploy` of each node" }],
  [
    "strict_types",
    { as: "warning", advice: "an output's schema is always held; declare it with `schema`" },
  ],
  [
    "type_rules",
    { as: "warning", advice: "types are not converted; send the type that is wanted" },
  ],
  ["health_check_interval", { as: "warning", advice: "health is looked at each second" }],
]);

/** Keys of a node, or of an operator. */
export const PASSED_OVER_NODE_KEYS: ReadonlyMap<string, PassedOverKey> = new Map([
  ["git", { as: "problem", advice: "clone the repository in `build`, and give `path`" }],
  ["branch", { as: "problem", advice: "clone the repository in `build`, and give `path`" }],
  ["tag", { as: "problem", advice: "clone the repository in `build`, and give `path`" }],
  ["rev", { as: "problem", advice: "clone the repository in `build`, and give `path`" }],
  ["hub", { as: "problem", advice: "install the node in `build`, and give `path`" }],
  ["module", { as: "problem", advice: "write the module's nodes into this file" }],
  ["ros2", { as: "problem", advice: "run the bridge as a node of its own, with `path`" }],
  ["params", { as: "problem", advice: "give `parameters`" }],
  ["path_sha256", { as: "problem", advice: "check the file's sum in `build`" }],
  ["input_types", { as: "warning", advice: "declare the `schema` of the output that sends them" }],
  ["output_types", { as: "warning", advice: "give `outputs: [{id, schema}]`" }],
  ["output_metadata", { as: "warning", advice: "metadata is not checked" }],
  ["output_framing", { as: "warning", advice: "bytes are sent as they are, Arrow values as IPC" }],
  ["pattern", { as: "warning", advice: "give the inputs and outputs themselves" }],
  [
    "shared_memory_pool_size",
    { as: "warning", advice: "memory for large messages grows as needed" },
  ],
  ["send_logs_as", { as: "warning", advice: "take records with an input `dora/logs`" }],
  [
    "max_log_size",
    { as: "warning", advice: "records are kept in the log store: see its retention" },
  ],
  [
    "max_rotated_files",
    { as: "warning", advice: "records are kept in the log store: see its retention" },
  ],
  ["_unstable_deploy", { as: "warning", advice: "of dora-rs 0.x; give `deploy`" }],
]);
