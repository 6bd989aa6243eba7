import type { z } from "zod";
import { didYouMean } from "../../core/nearest-name.ts";
import type { FilePath } from "./file-text.ts";
import { describeValue } from "./file-text.ts";
import type { Findings } from "./findings.ts";

type Issue = z.core.$ZodIssue;

/**
 * Tells of all that is wrong with a value's shape, in words: what was found, then the schema's advice.
 * The value must have been parsed with `reportInput`.
 */
export function reportShape(
  issues: readonly Issue[],
  base: FilePath,
  schema: z.ZodType,
  findings: Findings,
): void {
  for (const issue of issues) {
    if (findings.isFull) return;
    reportIssue(issue, base, [], schema, findings);
  }
}

/** `base` is where the schema's value stands in the file, `inner` where the issue's stands in that. */
function reportIssue(
  issue: Issue,
  base: FilePath,
  inner: FilePath,
  schema: z.ZodType,
  findings: Findings,
): void {
  const within = [...inner, ...issue.path.map(toStep)];
  const path = [...base, ...within];
  const name = typeof path.at(-1) === "string" ? `\`${path.at(-1)}\`` : "this entry";
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(schema, within);
    for (const key of issue.keys) {
      if (findings.isFull) return;
      const hint = known.includes(key) ? "" : didYouMean(key, known);
      const message = `unknown key ${describeKey(key)}${hint || listOf(known)}`;
      findings.problem("unknown-key", [...path, key], message, "key");
    }
    return;
  }
  if (issue.code === "invalid_key") {
    for (const { message } of issue.issues) {
      const key = describeKey(String(path.at(-1)));
      findings.problem("wrong-value", path, `${key} is no name here: ${message}`, "key");
    }
    return;
  }
  const meant = issue.code === "invalid_union" ? meantForm(issue) : [];
  if (meant.length > 0) {
    for (const one of meant) reportIssue(one, base, within, schema, findings);
    return;
  }
  if (issue.input === undefined && path.length > 0) {
    const message = `${name} is missing: ${issue.message}`;
    findings.problem("missing-key", path, message);
    return;
  }
  const isLimit = isTooMany(issue);
  const found = isLimit ? "too long" : describeValue(issue.input);
  const subject = path.length === 0 ? "the file" : name;
  const message = `${subject} is ${found}: ${issue.message}`;
  findings.problem(isLimit ? "limit" : "wrong-value", path, message);
}

/** A list or map with more entries than a limit allows: all else that a map is refined for. */
function isTooMany({ code, input }: Issue): boolean {
  return typeof input === "object" && (code === "too_big" || code === "custom");
}

/** What is wrong in the one form that is meant says more than that none fits. */
function meantForm(issue: z.core.$ZodIssueInvalidUnion): readonly Issue[] {
  const isMap = typeof issue.input === "object" && issue.input !== null;
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

/** Names of the keys that a schema knows at a path; of all forms where there are several. */
function keysAt(schema: z.core.$ZodType, path: FilePath): readonly string[] {
  return keysOf(schema._zod.def, path);
}

function keysOf(def: unknown, path: FilePath): readonly string[] {
  if (!isDef(def)) return [];
  const into = (inner: unknown, rest: FilePath): readonly string[] =>
    hasDef(inner) ? keysOf(inner._zod.def, rest) : [];
  const [step, ...rest] = path;
  switch (def.type) {
    case "optional":
      return into(def["innerType"], path);
    case "union": {
      const options = Array.isArray(def["options"]) ? def["options"] : [];
      return [...new Set(options.flatMap((option: unknown) => into(option, path)))];
    }
    case "array":
      return into(def["element"], rest);
    case "record":
      return into(def["valueType"], rest);
    case "object": {
      const { shape } = def;
      if (typeof shape !== "object" || shape === null) return [];
      if (step === undefined) return Object.keys(shape);
      const found = Object.entries(shape).find(([key]) => key === step);
      return found === undefined ? [] : into(found[1], rest);
    }
    default:
      return [];
  }
}

function isDef(value: unknown): value is Readonly<Record<string, unknown>> & { type: string } {
  return typeof value === "object" && value !== null && "type" in value;
}

function hasDef(value: unknown): value is { readonly _zod: { readonly def: unknown } } {
  return typeof value === "object" && value !== null && "_zod" in value;
}
