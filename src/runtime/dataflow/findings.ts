import type { FilePath, FileText } from "./file-text.ts";

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

/** Whether a value is meant, or the key of the map that it stands under. */
type Meant = "value" | "key";

/** Collects what is found in one file, up to `FINDINGS_MAX` problems and as many warnings. */
export class Findings {
  readonly #file: FileText;
  readonly #problems: Finding[] = [];
  readonly #warnings: Finding[] = [];

  constructor(file: FileText) {
    this.#file = file;
  }

  /** In the order of the file. */
  get problems(): readonly Finding[] {
    return this.#problems.toSorted(byPlace);
  }

  get warnings(): readonly Finding[] {
    return this.#warnings.toSorted(byPlace);
  }

  /** Whether a further problem would not be listed: then there is no use in looking for it. */
  get isFull(): boolean {
    return this.#problems.length >= FINDINGS_MAX;
  }

  problem(code: FindingCode, path: FilePath, message: string, meant: Meant = "value"): void {
    this.#add(this.#problems, code, path, message, meant);
  }

  warn(code: FindingCode, path: FilePath, message: string, meant: Meant = "value"): void {
    this.#add(this.#warnings, code, path, message, meant);
  }

  #add(list: Finding[], code: FindingCode, path: FilePath, message: string, meant: Meant): void {
    if (list.length >= FINDINGS_MAX) return;
    list.push({ code, ...this.#file.placeOf(path, meant === "key"), message });
  }
}

function byPlace(left: Finding, right: Finding): number {
  return left.line - right.line || left.column - right.column;
}
