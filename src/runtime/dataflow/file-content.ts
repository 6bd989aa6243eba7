import type { z } from "zod";
import { FileNode, FileRoot, NODES_MAX } from "./file-schema.ts";
import type { FilePath, FileText } from "./file-text.ts";
import { describeValue } from "./file-text.ts";
import type { Findings } from "./findings.ts";
import { parseSize } from "./quantities.ts";
import { reportShape } from "./shape-problems.ts";
import type { UnsupportedKey } from "./unsupported-keys.ts";
import {
  UNSUPPORTED_NODE_KEYS,
  UNSUPPORTED_OPERATOR_KEYS,
  UNSUPPORTED_ROOT_KEYS,
  UNSUPPORTED_SOURCES,
} from "./unsupported-keys.ts";

type Map = Readonly<Record<string, unknown>>;

/** A file whose shape was checked: what is wrong was told of and left out. */
export interface FileContent {
  readonly root: Partial<Omit<FileRoot, "nodes">>;
  readonly nodes: readonly ContentNode[];
}

export interface ContentNode {
  readonly path: FilePath;
  readonly node: Partial<FileNode> & { readonly id: string };
  /** Whether all that it sends is known: not with a wrong shape, or a source that is not supported. */
  readonly areOutputsKnown: boolean;
  /** Whether something was told of what it runs. */
  readonly isSourceTold: boolean;
  /** What dora-rs's `send_logs_as` names. */
  readonly logsOutput: string | undefined;
}

/** Keys whose entries are left out one by one. */
const MAPS: ReadonlySet<PropertyKey> = new Set(["inputs", "env", "parameters", "thresholds"]);
/** Keys whose numbers and truth values are the text that is written: `name: 1.0`. */
const TEXTS = new Set([
  "id",
  "name",
  "description",
  "path",
  "source",
  "args",
  "build",
  "min_log_level",
]);
const SOURCES = ["path", "operator", "operators", "custom"];
const SENDERS = ["outputs", "operator", "operators", "custom"];

/** Reads all of a file that makes sense, and tells of the rest. */
export function readContent(file: FileText, findings: Findings): FileContent {
  const reader = new ContentReader(file, findings);
  const root = reader.keys(file.value, [], UNSUPPORTED_ROOT_KEYS);
  const { value } = reader.shape(FileRoot, FileRoot.partial(), root, []);
  const nodes = isMap(root) && Array.isArray(root["nodes"]) ? root["nodes"] : [];
  return {
    root: value,
    nodes: nodes
      .slice(0, NODES_MAX)
      .flatMap((node: unknown, index) => reader.node(node, ["nodes", index])),
  };
}

class ContentReader {
  readonly #file: FileText;
  readonly #findings: Findings;

  constructor(file: FileText, findings: Findings) {
    this.#file = file;
    this.#findings = findings;
  }

  node(written: unknown, path: FilePath): readonly ContentNode[] {
    const keys = this.#nodeKeys(written, path);
    const { value, wrong } = this.shape(FileNode, FileNode.partial(), keys, path);
    const { id } = value;
    if (id === undefined) return [];
    const given = isMap(written) ? written : {};
    const isUnsupported = UNSUPPORTED_SOURCES.some((key) => Object.hasOwn(given, key));
    const { send_logs_as: logsOutput } = given;
    return [
      {
        path,
        node: { ...value, id },
        areOutputsKnown: !isUnsupported && !SENDERS.some((key) => wrong.has(key)),
        isSourceTold: isUnsupported || SOURCES.some((key) => wrong.has(key)),
        logsOutput: typeof logsOutput === "string" ? logsOutput : undefined,
      },
    ];
  }

  /**
   * Takes keys without a value and keys that are not supported out of a map, and tells of the latter.
   * Anything but a map is left as it is.
   */
  keys(
    written: unknown,
    path: FilePath,
    unsupported: ReadonlyMap<string, UnsupportedKey>,
  ): unknown {
    if (!isMap(written)) return written;
    const kept: [string, unknown][] = [];
    for (const [key, value] of Object.entries(written)) {
      const known = unsupported.get(key);
      if (known !== undefined) this.#tell(key, value, known, path);
      else if (value !== null) kept.push([key, this.#text(key, value, path)]);
    }
    return Object.fromEntries(kept);
  }

  /** Checks a shape; where it is wrong, what is wrong is left out. Shape: `wrong` names those keys. */
  shape<Part extends z.ZodType>(
    whole: z.ZodType,
    part: Part,
    written: unknown,
    path: FilePath,
  ): { readonly value: z.infer<Part>; readonly wrong: ReadonlySet<PropertyKey> } {
    const parsed = whole.safeParse(written);
    const issues = parsed.error?.issues ?? [];
    reportShape(issues, { value: written, path, schema: whole }, this.#findings);
    const wrong = new Set(
      issues.flatMap((issue) =>
        issue.code === "unrecognized_keys" && issue.path.length === 0
          ? issue.keys
          : issue.path.slice(0, 1),
      ),
    );
    const rest = isMap(written) ? withoutWrong(written, issues, wrong) : {};
    const again = part.safeParse(rest);
    return { value: again.success ? again.data : part.parse({}), wrong };
  }

  #nodeKeys(written: unknown, path: FilePath): unknown {
    const keys = this.keys(written, path, UNSUPPORTED_NODE_KEYS);
    if (!isMap(keys)) return keys;
    const { operator, operators, custom } = keys;
    const within = (value: unknown, ...steps: FilePath): unknown =>
      this.keys(value, [...path, ...steps], UNSUPPORTED_OPERATOR_KEYS);
    return {
      ...keys,
      ...(operator === undefined ? {} : { operator: within(operator, "operator") }),
      ...(custom === undefined ? {} : { custom: within(custom, "custom") }),
      ...(Array.isArray(operators)
        ? { operators: operators.map((one: unknown, at) => within(one, "operators", at)) }
        : {}),
    };
  }

  #tell(key: string, value: unknown, known: UnsupportedKey, path: FilePath): void {
    const { as, advice, isLegacy, isSize } = known;
    const where = [...path, key];
    if (isSize === true && !isSizeText(value)) {
      const message = `\`${key}\` is ${describeValue(value)}: give a size such as 50MB`;
      this.#findings.problem("wrong-value", where, message);
    }
    if (as === "problem") {
      const message = `\`${key}\` is not supported: ${advice}`;
      this.#findings.problem("unsupported", where, message, "key");
    } else if (isLegacy === true) {
      const message = `\`${key}\` is of dora-rs 0.x and has no effect: ${advice}`;
      this.#findings.warn("legacy", where, message, "key");
    } else {
      this.#findings.warn("unsupported", where, `\`${key}\` has no effect: ${advice}`, "key");
    }
  }

  #text(key: string, value: unknown, path: FilePath): unknown {
    if (!TEXTS.has(key) || (typeof value !== "number" && typeof value !== "boolean")) {
      return value;
    }
    return this.#file.sourceOf([...path, key]) ?? String(value);
  }
}

function withoutWrong(
  written: Map,
  issues: readonly z.core.$ZodIssue[],
  wrong: ReadonlySet<PropertyKey>,
): Map {
  const entries = Object.entries(written).flatMap(([key, value]): [string, unknown][] => {
    if (!wrong.has(key)) return [[key, value]];
    const steps = issues.filter(({ path }) => path[0] === key).map(({ path }) => path[1]);
    if (!MAPS.has(key) || !isMap(value) || steps.some((step) => step === undefined)) return [];
    const names = new Set(steps);
    const good = Object.entries(value).filter(([name]) => !names.has(name));
    return [[key, Object.fromEntries(good)]];
  });
  return Object.fromEntries(entries);
}

function isSizeText(value: unknown): boolean {
  return (
    (typeof value === "string" || typeof value === "number") &&
    parseSize(String(value)) !== undefined
  );
}

function isMap(value: unknown): value is Map {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
