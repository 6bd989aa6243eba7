import type { Document, ParsedNode } from "yaml";
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { ConfigEntry, ConfigFault, ConfigMap, ConfigNode, Origin } from "./config-node.ts";
import type { ConfigPath, ConfigScalarValue } from "./config-node.ts";

/** Written by hand, larger is a mistake; and the check for unique keys takes their number squared. */
export const CONFIG_BYTES_MAX = 64 * 1024;

/** Nodes after aliases are followed: what a few lines of nested aliases could grow to (SEC-012). */
const NODES_MAX = 20_000;
const ALIASES_MAX = 100;
const DEPTH_MAX = 32;

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigFileResult {
  readonly root: ConfigMap;
  readonly faults: readonly ConfigFault[];
}

/**
 * Reads a configuration file: YAML 1.2 core without custom tags, one document, unique keys, with
 * `${env:NAME}` and `${env:NAME:-default}` expanded in values, `$$` being one `$`.
 *
 * Shape:  all faults, each with its line and column; `root` holds what could be read.
 * Source: the Collector's configuration format (PIPE-001); SEC-012. Unlike the Collector a variable
 *         that is not set, and has no default, is a fault and not an empty text.
 */
export function readConfigFile(file: string, text: string, env: Environment): ConfigFileResult {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    version: "1.2",
    schema: "core",
    uniqueKeys: true,
    prettyErrors: false,
  });
  const originOf = (offset: number): Origin => {
    const { line, col } = lines.linePos(offset);
    return { kind: "file", file, line, column: col };
  };
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    const faults = broken.map(({ message, pos }) => {
      return { path: [], problem: lowerFirst(message), origin: originOf(pos[0]) };
    });
    return { root: emptyMap(originOf(0)), faults };
  }
  return new TreeReader(document, originOf, env).read();
}

/** Walks the YAML nodes once, following aliases within limits. */
class TreeReader {
  readonly #document: Document.Parsed;
  readonly #originOf: (offset: number) => Origin;
  readonly #env: Environment;
  readonly #faults: ConfigFault[] = [];
  #nodesCount = 0;
  #aliasesCount = 0;
  #isExhausted = false;

  constructor(document: Document.Parsed, originOf: (offset: number) => Origin, env: Environment) {
    this.#document = document;
    this.#originOf = originOf;
    this.#env = env;
  }

  read(): ConfigFileResult {
    const contents = this.#document.contents;
    const origin = this.#originOf(contents?.range[0] ?? 0);
    if (contents === null) return { root: emptyMap(origin), faults: [] };
    const node = this.#node(contents, []);
    if (node.kind === "map") return { root: node, faults: this.#faults };
    if (node.kind !== "scalar" || node.value !== null) {
      this.#faults.push({ path: [], problem: "the file must hold a map of sections", origin });
    }
    return { root: emptyMap(origin), faults: this.#faults };
  }

  #node(node: ParsedNode, path: ConfigPath): ConfigNode {
    const origin = this.#originOf(node.range[0]);
    if (this.#isExhausted) return { kind: "scalar", value: null, origin };
    this.#nodesCount += 1;
    if (this.#nodesCount > NODES_MAX) return this.#exhaust(`more than ${NODES_MAX} values`, origin);
    if (path.length > DEPTH_MAX) return this.#exhaust(`deeper than ${DEPTH_MAX} levels`, origin);
    if (isAlias(node)) return this.#alias(node, path, origin);
    if (isScalar(node)) return this.#scalar(node.value, path, origin);
    if (isSeq<ParsedNode>(node)) {
      const items = node.items.map((item, index) => this.#node(item, [...path, index]));
      return { kind: "list", items, origin };
    }
    if (!isMap<ParsedNode, ParsedNode | null>(node)) {
      return this.#refuse(path, "give a map, a list or a value", origin);
    }
    const entries = new Map<string, ConfigEntry>();
    for (const { key, value } of node.items) {
      const keyOrigin = this.#originOf(key.range[0]);
      if (!isScalar(key)) {
        this.#refuse(path, "a key must be a text", keyOrigin);
        continue;
      }
      const name = String(key.value);
      const item: ConfigNode =
        value === null
          ? { kind: "scalar", value: null, origin: keyOrigin }
          : this.#node(value, [...path, name]);
      entries.set(name, { keyOrigin, node: item });
    }
    return { kind: "map", entries, origin };
  }

  #alias(alias: ParsedNode, path: ConfigPath, origin: Origin): ConfigNode {
    this.#aliasesCount += 1;
    if (this.#aliasesCount > ALIASES_MAX) {
      return this.#exhaust(`more than ${ALIASES_MAX} aliases`, origin);
    }
    const target = isAlias(alias) ? alias.resolve(this.#document) : undefined;
    if (target === undefined || !isParsed(target)) {
      return this.#refuse(path, "the alias has no anchor before it", origin);
    }
    return this.#node(target, path);
  }

  #scalar(value: unknown, path: ConfigPath, origin: Origin): ConfigNode {
    if (typeof value === "string") {
      return { kind: "scalar", value: this.#expand(value, path, origin), origin };
    }
    if (isScalarValue(value)) return { kind: "scalar", value, origin };
    return this.#refuse(path, "give a text, a number, true or false", origin);
  }

  #expand(text: string, path: ConfigPath, origin: Origin): string {
    return text.replaceAll(/\$\$|\$\{([^}]*)\}?/g, (match, inner: string | undefined) => {
      if (match === "$$") return "$";
      const parts = /^env:([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inner ?? "");
      if (parts === null || !match.endsWith("}")) {
        this.#refuse(
          path,
          `cannot expand "${match}": give \${env:NAME} or \${env:NAME:-default}`,
          origin,
        );
        return "";
      }
      const [, name = "", fallback] = parts;
      const found = this.#env[name] ?? fallback;
      if (found === undefined) {
        this.#refuse(path, `the environment variable ${name} is not set`, origin);
      }
      return found ?? "";
    });
  }

  /** Notes a fault; what stands in its place is never used, because faults end the loading. */
  #refuse(path: ConfigPath, problem: string, origin: Origin): ConfigNode {
    this.#faults.push({ path, problem, origin });
    return { kind: "scalar", value: null, origin };
  }

  /** Past a limit: said once, and what is left is not followed. */
  #exhaust(problem: string, origin: Origin): ConfigNode {
    if (this.#isExhausted) return { kind: "scalar", value: null, origin };
    this.#isExhausted = true;
    return this.#refuse([], `the file holds ${problem}, aliases followed`, origin);
  }
}

function emptyMap(origin: Origin): ConfigMap {
  return { kind: "map", entries: new Map(), origin };
}

function isParsed(node: { readonly range?: unknown }): node is ParsedNode {
  return Array.isArray(node.range);
}

function isScalarValue(value: unknown): value is ConfigScalarValue {
  return value === null || ["number", "bigint", "boolean"].includes(typeof value);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
