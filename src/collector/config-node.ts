/**
 * A configuration as a tree in which every value knows where it came from, so that a fault can
 * name its line and `dora config print` the source of every setting.
 */
export type ConfigNode = ConfigMap | ConfigList | ConfigScalar;

export interface ConfigMap {
  readonly kind: "map";
  readonly entries: Map<string, ConfigEntry>;
  readonly origin: Origin;
}

export interface ConfigEntry {
  /** Where the key stands, which may be another place than its value. */
  readonly keyOrigin: Origin;
  readonly node: ConfigNode;
}

interface ConfigList {
  readonly kind: "list";
  readonly items: readonly ConfigNode[];
  readonly origin: Origin;
}

interface ConfigScalar {
  readonly kind: "scalar";
  readonly value: ConfigScalarValue;
  readonly origin: Origin;
}

export type ConfigScalarValue = string | number | bigint | boolean | null;

export type Origin =
  | { readonly kind: "default" }
  | { readonly kind: "file"; readonly file: string; readonly line: number; readonly column: number }
  | { readonly kind: "environment"; readonly variable: string }
  | { readonly kind: "flag"; readonly flag: string };

export const DEFAULT_ORIGIN: Origin = { kind: "default" };

/** One step into a map or a list. */
export type ConfigPath = readonly (string | number)[];

/** One thing that is wrong with a configuration. */
export interface ConfigFault {
  readonly path: ConfigPath;
  readonly problem: string;
  readonly origin: Origin;
}

/** `receivers.otlp.protocols.htpp: unknown key, did you mean "http"? (dora.yaml:4:7)` */
export function formatFault(fault: ConfigFault): string {
  const path = formatPath(fault.path);
  const where = fault.origin.kind === "default" ? "" : ` (${formatOrigin(fault.origin)})`;
  return `${path === "" ? "" : `${path}: `}${fault.problem}${where}`;
}

/** `service.pipelines.logs.receivers[0]` */
function formatPath(path: ConfigPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}

/** `dora.yaml:4:7`, `environment DORA_API`, `flag --api` or `default`. */
export function formatOrigin(origin: Origin): string {
  switch (origin.kind) {
    case "default":
      return "default";
    case "file":
      return `${origin.file}:${origin.line}:${origin.column}`;
    case "environment":
      return `environment ${origin.variable}`;
    case "flag":
      return `flag ${origin.flag}`;
  }
}

/** A tree whose every value has the same origin. */
export function toConfigNode(value: unknown, origin: Origin): ConfigNode {
  if (Array.isArray(value)) {
    return { kind: "list", items: value.map((item) => toConfigNode(item, origin)), origin };
  }
  if (typeof value === "object" && value !== null) {
    const entries = new Map<string, ConfigEntry>();
    for (const [key, item] of Object.entries(value)) {
      entries.set(key, { keyOrigin: origin, node: toConfigNode(item, origin) });
    }
    return { kind: "map", entries, origin };
  }
  return { kind: "scalar", value: isScalar(value) ? value : null, origin };
}

/** The plain value; `__proto__` becomes an own key like any other. */
export function toPlain(node: ConfigNode): unknown {
  switch (node.kind) {
    case "scalar":
      return node.value;
    case "list":
      return node.items.map(toPlain);
    case "map":
      return Object.fromEntries(
        [...node.entries].map(([key, { node: item }]) => [key, toPlain(item)]),
      );
  }
}

/** The node at a path, or undefined. */
export function nodeAt(root: ConfigNode, path: ConfigPath): ConfigNode | undefined {
  let node: ConfigNode | undefined = root;
  for (const step of path) {
    if (node?.kind === "map") node = node.entries.get(String(step))?.node;
    else if (node?.kind === "list" && typeof step === "number") node = node.items[step];
    else return undefined;
  }
  return node;
}

/** The entries of the map at a path; none where it is no map. */
export function entriesAt(root: ConfigNode, path: ConfigPath): ReadonlyMap<string, ConfigEntry> {
  const node = nodeAt(root, path);
  return node?.kind === "map" ? node.entries : new Map<string, ConfigEntry>();
}

/** Where the value at a path came from; for one that is not there, the nearest above it. */
export function originAt(root: ConfigNode, path: ConfigPath): Origin {
  for (let length = path.length; length >= 0; length--) {
    const node = nodeAt(root, path.slice(0, length));
    if (node !== undefined) return node.origin;
  }
  return root.origin;
}

/** Where the key at a path stands. */
export function keyOriginAt(root: ConfigNode, path: ConfigPath): Origin {
  const key = path.at(-1);
  const entry = entriesAt(root, path.slice(0, -1)).get(String(key));
  return entry?.keyOrigin ?? originAt(root, path);
}

/**
 * Sets the value at a path, making the maps on the way. Where something else than a map is in the
 * way nothing is set: that value is a fault of its own.
 */
export function setAt(root: ConfigMap, path: readonly string[], node: ConfigNode): void {
  let map = root;
  for (const step of path.slice(0, -1)) {
    const next = map.entries.get(step)?.node;
    if (next?.kind === "map") {
      map = next;
      continue;
    }
    if (next !== undefined && !isNull(next)) return;
    const made: ConfigMap = { kind: "map", entries: new Map(), origin: node.origin };
    map.entries.set(step, { keyOrigin: node.origin, node: made });
    map = made;
  }
  const key = path.at(-1);
  if (key !== undefined) map.entries.set(key, { keyOrigin: node.origin, node });
}

/**
 * Lays a file over the defaults: each component, and each key of `service`, that the file has
 * takes the place of the default one, whole.
 */
export function layOver(base: ConfigMap, over: ConfigMap): void {
  for (const [section, entry] of over.entries) {
    const below = base.entries.get(section)?.node;
    if (isNull(entry.node) && below !== undefined) continue;
    if (entry.node.kind !== "map" || below?.kind !== "map") {
      base.entries.set(section, entry);
      continue;
    }
    for (const [key, item] of entry.node.entries) below.entries.set(key, item);
  }
}

function isNull(node: ConfigNode): boolean {
  return node.kind === "scalar" && node.value === null;
}

function isScalar(value: unknown): value is ConfigScalarValue {
  return value === null || ["string", "number", "bigint", "boolean"].includes(typeof value);
}
