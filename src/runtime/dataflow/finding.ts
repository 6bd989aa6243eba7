/** More are not listed: the first ones are what there is to correct. */
export const FINDINGS_MAX = 100;

/** What kind of problem or warning it is, for programs that read `dora validate --output json`. */
export type FindingCode =
  /** No YAML, or YAML beyond a limit. */
  | "yaml"
  | "unknown-key"
  | "missing-key"
  | "wrong-value"
  /** Two nodes, operators or outputs of one id. */
  | "duplicate"
  /** An input's source, or a filter of logs, that names nothing of the file. */
  | "unknown-name"
  /** Keys that cannot hold together, or one that has no effect beside another. */
  | "contradiction"
  /** Of dora-rs, and not carried out by this version. */
  | "unsupported"
  /** Of dora-rs 0.x. */
  | "legacy"
  | "unset-variable"
  | "limit";

/** Something wrong, or worth knowing, in a dataflow file. */
export interface Finding {
  readonly code: FindingCode;
  /** Counted from 1. */
  readonly line: number;
  /** In UTF-16 units, counted from 1. */
  readonly column: number;
  /** Of what is meant, within its line; 1 at least. */
  readonly length: number;
  /** What was found, and what to do. */
  readonly message: string;
}
