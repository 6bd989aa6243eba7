import type { z } from "zod";
import { didYouMean } from "../../core/nearest-name.ts";
import { DataflowBuilder } from "./build-dataflow.ts";
import { checkConnections } from "./check-connections.ts";
import type { Dataflow } from "./dataflow.ts";
import { DataflowFile } from "./file-schema.ts";
import type { FilePath, FileText, Problem } from "./file-text.ts";
import { readFileText } from "./file-text.ts";
import type { PassedOverKey } from "./passed-over-keys.ts";
import { PASSED_OVER_NODE_KEYS, PASSED_OVER_ROOT_KEYS } from "./passed-over-keys.ts";

export interface ParseOptions {
  /** For `$NAME` in values of `env` and in paths. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export type ParseResult =
  | { readonly status: "ok"; readonly dataflow: Dataflow; readonly warnings: readonly Problem[] }
  | {
      readonly status: "invalid";
      readonly problems: readonly Problem[];
      readonly warnings: readonly Problem[];
    };

/**
 * Reads a dataflow file: dora-rs's YAML, of 1.0 and 0.x, with our additions. Does not look at the
 * files that it names.
 *
 * Shape:  all problems at once, in the order of lines; nothing in the file is silently ignored.
 * Limits: `FILE_BYTES_MAX`, `NODES_MAX`, `PORTS_MAX`.
 * Source: docs/dataflow-file.md
 */
export function parseDataflow(text: string, options: ParseOptions): ParseResult {
  const read = readFileText(text);
  if (read.status === "broken") return { status: "invalid", problems: read.problems, warnings: [] };
  const { file } = read;
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const value = passOver(file, problems, warnings);
  const parsed = DataflowFile.safeParse(value);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push(...toProblems(file, issue));
    return { status: "invalid", problems: inOrder(problems), warnings: inOrder(warnings) };
  }
  const builder = new DataflowBuilder(file, options.environment, problems, warnings);
  const dataflow = builder.build(parsed.data);
  checkConnections(dataflow, file, problems);
  return problems.length === 0
    ? { status: "ok", dataflow, warnings: inOrder(warnings) }
    : { status: "invalid", problems: inOrder(problems), warnings: inOrder(warnings) };
}

function inOrder(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted((left, right) => left.line - right.line || left.column - right.column);
}

/** The file without the keys that are known and not carried out, each of which is told of. */
function passOver(file: FileText, problems: Problem[], warnings: Problem[]): unknown {
  const without = (
    value: unknown,
    path: FilePath,
    keys: ReadonlyMap<string, PassedOverKey>,
  ): unknown => {
    if (!isRecord(value)) return value;
    return Object.fromEntries(
      Object.entries(value).filter(([key]) => {
        const known = keys.get(key);
        if (known === undefined) return true;
        const list = known.as === "problem" ? problems : warnings;
        const verb = known.as === "problem" ? "is not supported" : "has no effect";
        list.push(file.problemAtKey([...path, key], `\`${key}\` ${verb}: ${known.advice}`));
        return false;
      }),
    );
  };
  const root = without(file.value, [], PASSED_OVER_ROOT_KEYS);
  if (!isRecord(root) || !Array.isArray(root["nodes"])) return root;
  const nodes = root["nodes"].map((node: unknown, index) => {
    const path = ["nodes", index];
    const kept = without(node, path, PASSED_OVER_NODE_KEYS);
    if (!isRecord(kept)) return kept;
    const { operator, operators } = kept;
    return {
      ...kept,
      ...("operator" in kept
        ? { operator: without(operator, [...path, "operator"], PASSED_OVER_NODE_KEYS) }
        : {}),
      ...(Array.isArray(operators)
        ? {
            operators: operators.map((one: unknown, at) =>
              without(one, [...path, "operators", at], PASSED_OVER_NODE_KEYS),
            ),
          }
        : {}),
    };
  });
  return { ...root, nodes };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An unknown key is a problem of its own, at the key; any other issue at its value. */
function toProblems(file: FileText, issue: z.core.$ZodIssue, base: FilePath = []): Problem[] {
  const path = [
    ...base,
    ...issue.path.map((step) => (typeof step === "number" ? step : String(step))),
  ];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => {
        const hint = didYouMean(key, knownKeysAt(path));
        return file.problemAtKey([...path, key], `unknown key \`${key}\`${hint}`);
      });
    case "invalid_key":
      return issue.issues.map((inner) => file.problemAtKey(path, inner.message));
    case "invalid_union": {
      // What is wrong in the one form that is meant says more than that none fits.
      const meant = issue.errors.find((errors) =>
        errors.some(({ path: inner }) => inner.length > 0),
      );
      const unknown = issue.errors.flat().find(({ code }) => code === "unrecognized_keys");
      const inner = meant ?? (unknown === undefined ? [] : [unknown]);
      if (inner.length > 0) return inner.flatMap((one) => toProblems(file, one, path));
      return [file.problemAt(path, issue.message)];
    }
    case "invalid_type": {
      const last = path.at(-1);
      if (issue.input === undefined && typeof last === "string") {
        return [file.problemAt(path.slice(0, -1), `\`${last}\` is missing`)];
      }
      return [file.problemAt(path, issue.message)];
    }
    default:
      return [file.problemAt(path, issue.message)];
  }
}

const ROOT_KEYS = Object.keys(DataflowFile.shape);
const NODE_KEYS = Object.keys(DataflowFile.shape.nodes.element.shape);
const INPUT_KEYS = ["source", "queue_size", "queue_policy", "input_timeout", "transport"];
const THRESHOLD_KEYS = ["latency_ms", "memory_mb", "errors_per_minute"];

function knownKeysAt(path: FilePath): readonly string[] {
  if (path.length === 0) return ROOT_KEYS;
  if (path.at(-1) === "thresholds") return THRESHOLD_KEYS;
  if (path.at(-2) === "inputs") return INPUT_KEYS;
  return NODE_KEYS;
}
