/** What becomes of a key of dora-rs that this version does not carry out. */
export interface UnsupportedKey {
  /** A problem ends the start; with a warning the dataflow runs without it. */
  readonly as: "problem" | "warning";
  /** What to do, or what is done in its place. */
  readonly advice: string;
  readonly isLegacy?: true;
  /** Its value is a size, and is checked as one. */
  readonly isSize?: true;
}

type UnsupportedKeys = ReadonlyMap<string, UnsupportedKey>;

const warning = (advice: string): UnsupportedKey => ({ as: "warning", advice });
const problem = (advice: string): UnsupportedKey => ({ as: "problem", advice });
const legacy = (advice: string): UnsupportedKey => ({ as: "warning", advice, isLegacy: true });

/** Keys of the whole file. */
export const UNSUPPORTED_ROOT_KEYS: UnsupportedKeys = new Map([
  ["communication", legacy("give `default_transport`")],
  ["daemon_config", legacy("give `default_transport`")],
  ["_unstable_deploy", legacy("a dataflow runs on one machine")],
  ["_unstable_debug", legacy("every link is observable without it")],
  ["debug", warning("every link is observable without it")],
  ["deploy", warning("a dataflow runs on one machine")],
  ["strict_types", warning("each output is held to its `schema`, or to its first message")],
  ["type_rules", warning("types are not converted: send the type that is wanted")],
  ["health_check_interval", warning("health is looked at each second")],
]);

const CLONE = "clone it in `build`, and give `path`";
const TYPES = "declare `outputs: [{id, schema}]` at the sender, which is held to it";
const LOG_FILES = "records are kept in the log store, as long as its retention says";

const LOGGING: readonly (readonly [string, UnsupportedKey])[] = [
  ["send_logs_as", warning("take records with an input from `dora/logs`")],
  ["max_log_size", { ...warning(LOG_FILES), isSize: true }],
  ["max_rotated_files", warning(LOG_FILES)],
];
const TYPING: readonly (readonly [string, UnsupportedKey])[] = [
  ["input_types", warning(TYPES)],
  ["output_types", warning(TYPES)],
  ["output_metadata", warning("metadata is not checked")],
  ["pattern", warning("metadata is not checked")],
];

/** Keys of a node. */
export const UNSUPPORTED_NODE_KEYS: UnsupportedKeys = new Map([
  ["git", problem(CLONE)],
  ["branch", problem(CLONE)],
  ["tag", problem(CLONE)],
  ["rev", problem(CLONE)],
  ["hub", problem("install the node in `build`, and give `path`")],
  ["module", problem("write the module's nodes into this file")],
  ["params", problem("give `parameters`")],
  ["ros2", problem("run a bridge as a node of its own, with `path`")],
  ["path_sha256", problem("fetch and check the file in `build`, and give `path`")],
  [
    "shared_memory_pool_size",
    { ...warning("memory for large messages grows as it is needed"), isSize: true },
  ],
  ["_unstable_deploy", legacy("a dataflow runs on one machine")],
  ...TYPING,
  ...LOGGING,
]);

/** Keys of an operator. */
export const UNSUPPORTED_OPERATOR_KEYS: UnsupportedKeys = new Map([...TYPING, ...LOGGING]);

/** Sources of nodes that are not supported: what such a node sends is not known. */
export const UNSUPPORTED_SOURCES: readonly string[] = ["hub", "module", "ros2"];
