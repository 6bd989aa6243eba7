import type { z } from "zod";
import { didYouMean } from "../../core/nearest-name.ts";
import type { FilePath } from "./file-text.ts";
import { describeValue } from "./file-text.ts";
import type { Findings } from "./findings.ts";
import { keysAt } from "./schema-keys.ts";

type Issue = z.core.$ZodIssue;

/** Where a value stands in the file, and what it was held to. */
export interface Checked {
  readonly value: unknown;
  readonly path: FilePath;
  readonly schema: z.ZodType;
}

/** Tells of all that is wrong with a value's shape, in words: what was found, then the schema's advice. */
export function reportShape(issues: readonly Issue[], checked: Checked, findings: Findings): void {
  const reporter = new ShapeReporter(checked, findings);
  for (const issue of issues) reporter.report(issue, []);
}

class ShapeReporter {
  readonly #checked: Checked;
  readonly #findings: Findings;

  constructor(checked: Checked, findings: Findings) {
    this.#checked = checked;
    this.#findings = findings;
  }

  /** `outer` is where the issue's own path begins, within the value. */
  report(issue: Issue, outer: FilePath): void {
    if (this.#findings.isFull) return;
    const within = [...outer, ...issue.path.map(toStep)];
    const path = [...this.#checked.path, ...within];
    if (issue.code === "unrecognized_keys") return this.#reportKeys(issue.keys, within);
    if (issue.code === "invalid_key") {
      for (const { message } of issue.issues) {
        const text = `${describeKey(String(path.at(-1)))} is no name here: ${message}`;
        this.#findings.problem("wrong-value", path, text, "key");
      }
      return;
    }
    const value = valueAt(this.#checked.value, within);
    const meant = issue.code === "invalid_union" ? meantForm(issue, value) : [];
    for (const one of meant) this.report(one, within);
    if (meant.length > 0) return;
    const name = typeof path.at(-1) === "string" ? `\`${path.at(-1)}\`` : "this entry";
    if (value === undefined && path.length > 0) {
      this.#findings.problem("missing-key", path, `${name} is missing: ${issue.message}`);
      return;
    }
    const isLimit = isTooMany(issue, value);
    const found = isLimit ? "too long" : describeValue(value);
    const subject = path.length === 0 ? "the file" : name;
    const message = `${subject} is ${found}: ${issue.message}`;
    this.#findings.problem(isLimit ? "limit" : "wrong-value", path, message);
  }

  #reportKeys(keys: readonly string[], within: FilePath): void {
    const known = keysAt(this.#checked.schema, within);
    for (const key of keys) {
      if (this.#findings.isFull) return;
      const hint = known.includes(key) ? "" : didYouMean(key, known);
      const message = `unknown key ${describeKey(key)}${hint || listOf(known)}`;
      const path = [...this.#checked.path, ...within, key];
      this.#findings.problem("unknown-key", path, message, "key");
    }
  }
}

/** A list or map with more entries than a limit allows: all that a map is refined for. */
function isTooMany({ code }: Issue, value: unknown): boolean {
  return typeof value === "object" && (code === "too_big" || code === "custom");
}

function valueAt(value: unknown, path: FilePath): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, step))
      return undefined;
    found = Reflect.get(found, step);
  }
  return found;
}

/** What is wrong in the one form that is meant says more than that none fits. */
function meantForm(issue: z.core.$ZodIssueInvalidUnion, value: unknown): readonly Issue[] {
  const isMap = typeof value === "object" && value !== null;
  const isOther = ({ path, code }: Issue): boolean =>
    path.length === 0 && (code === "invalid_type" || (isMap && code === "invalid_value"));
  return issue.errors.find((issues) => issues.length > 0 && !issues.some(isOther)) ?? [];
}

function describeKey(key: string): string {
  return `\`${key.length > 64 ? `${key.slice(0, 64)}…` : key}\``;
}

/** Where no known name is near, all of them help if they are few. */
function listOf(known: readonly string[]): string {
  return known.length === 0 || known.length > 12 ? "" : `: there are ${known.join(", ")}`;
}

function toStep(step: PropertyKey): string | number {
  return typeof step === "number" ? step : String(step);
}
