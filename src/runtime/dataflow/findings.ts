import type { FilePath, FileText } from "./file-text.ts";
import type { Finding, FindingCode } from "./finding.ts";
import { FINDINGS_MAX } from "./finding.ts";

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
