import type { z } from "zod";
import { didYouMean } from "../core/nearest-name.ts";
import type { ConfigFault, ConfigMap, ConfigNode, ConfigPath } from "./config-node.ts";
import { entriesAt, keyOriginAt, nodeAt, originAt, toPlain } from "./config-node.ts";
import { componentType, namesIn } from "./config-layers.ts";
import type { Section } from "./config-schema.ts";
import { COMPONENTS, SECTIONS, service } from "./config-schema.ts";

/** What a component of a section is called in a message. */
const NOUNS: Readonly<Record<Section, string>> = {
  receivers: "receiver",
  processors: "processor",
  exporters: "exporter",
  connectors: "connector",
  extensions: "extension",
};

/** `otlp`, `otlp/robots`: the Collector's form of a component's id. */
const COMPONENT_ID = /^[A-Za-z][A-Za-z0-9_]*(?:\/\S+)?$/;

/** The effective configuration: every default filled in, values as they would be written. */
export type EffectiveConfig = Readonly<Record<string, unknown>>;

export type ConfigCheck =
  | { readonly status: "valid"; readonly effective: EffectiveConfig }
  | { readonly status: "invalid"; readonly faults: readonly ConfigFault[] };

/**
 * Checks a whole configuration and fills in its defaults.
 *
 * Shape: all faults at once: unknown keys and components, wrong values, names that nothing has.
 */
export function checkConfig(root: ConfigMap): ConfigCheck {
  const faults: ConfigFault[] = [];
  const effective: Record<string, unknown> = {};
  const known = [...SECTIONS, "service"];
  for (const [key, { keyOrigin }] of root.entries) {
    if (known.includes(key)) continue;
    const hint = didYouMean(key, known) || `; known: ${known.join(", ")}`;
    faults.push({ path: [key], problem: `unknown key${hint}`, origin: keyOrigin });
  }
  for (const section of SECTIONS) {
    effective[section] = checkSection(root, section, faults);
  }
  const given = nodeAt(root, ["service"]);
  effective["service"] = parse(root, ["service"], service, given, faults);
  checkReferences(root, faults);
  return faults.length > 0 ? { status: "invalid", faults } : { status: "valid", effective };
}

function checkSection(root: ConfigMap, section: Section, faults: ConfigFault[]) {
  const node = nodeAt(root, [section]);
  if (node !== undefined && node.kind !== "map") {
    const problem = `expected a map of ${section}`;
    faults.push({ path: [section], problem, origin: node.origin });
  }
  const types: ReadonlyMap<string, z.ZodType> = new Map(Object.entries(COMPONENTS[section]));
  const checked = new Map<string, unknown>();
  for (const [id, entry] of entriesAt(root, [section])) {
    const path = [section, id];
    const type = componentType(id);
    const schema = types.get(type);
    if (!COMPONENT_ID.test(id)) {
      const problem = `"${id}" is no component id: give type or type/name`;
      faults.push({ path, problem, origin: entry.keyOrigin });
    } else if (schema === undefined) {
      const problem = `unknown ${NOUNS[section]} "${type}"${knownTypes(section, type)}`;
      faults.push({ path, problem, origin: entry.keyOrigin });
    } else {
      checked.set(id, parse(root, path, schema, entry.node, faults));
    }
  }
  return Object.fromEntries(checked);
}

function knownTypes(section: Section, type: string): string {
  const known = Object.keys(COMPONENTS[section]);
  if (known.length === 0) return `; this version has no ${section}`;
  return `; known: ${known.join(", ")}${didYouMean(type, known)}`;
}

function parse(
  root: ConfigMap,
  path: ConfigPath,
  schema: z.ZodType,
  node: ConfigNode | undefined,
  faults: ConfigFault[],
): unknown {
  const result = schema.safeParse(node === undefined ? {} : toPlain(node));
  if (result.success) return result.data;
  for (const issue of result.error.issues) faults.push(...toFaults(root, path, issue));
  return undefined;
}

/** A fault an unknown key, at the key; any other issue at its value. */
function toFaults(root: ConfigMap, base: ConfigPath, issue: z.core.$ZodIssue): ConfigFault[] {
  const path = [
    ...base,
    ...issue.path.map((step) => (typeof step === "number" ? step : String(step))),
  ];
  if (issue.code === "unrecognized_keys") {
    const problems = issue.message.split("\n");
    return issue.keys.map((key, index) => {
      const keyPath = [...path, key];
      const problem = problems[index] ?? "unknown key";
      return { path: keyPath, problem, origin: keyOriginAt(root, keyPath) };
    });
  }
  const isKey = issue.code === "invalid_key";
  const origin = isKey ? keyOriginAt(root, path) : originAt(root, path);
  return [{ path, problem: issue.message, origin }];
}

/**
 * Names in pipelines, in `service.extensions` and in `auth.authenticator` must be configured; an
 * authenticator must run. One component of each type runs in a process as yet.
 */
function checkReferences(root: ConfigMap, faults: ConfigFault[]): void {
  const running = new Map<string, string>();
  for (const [pipeline, { node }] of entriesAt(root, ["service", "pipelines"])) {
    for (const section of ["receivers", "processors", "exporters"] as const) {
      const path = ["service", "pipelines", pipeline, section];
      checkNames(root, { section, path, list: nodeAt(node, [section]), running }, faults);
    }
  }
  const path = ["service", "extensions"];
  const list = nodeAt(root, path);
  checkNames(root, { section: "extensions", path, list, running }, faults);
  checkAuthenticators(root, new Set(namesIn(list)), faults);
}

interface NameCheck {
  readonly section: Section;
  readonly path: ConfigPath;
  readonly list: ConfigNode | undefined;
  /** The id that runs of each section and type; filled in by the check. */
  readonly running: Map<string, string>;
}

/** Types of which several may run at once. */
const SHAREABLE: ReadonlySet<string> = new Set(["extensions bearertokenauth"]);

function checkNames(root: ConfigMap, check: NameCheck, faults: ConfigFault[]): void {
  const { section, path, list, running } = check;
  // A section that is no map is a fault already, and would make every name one.
  if (nodeAt(root, [section])?.kind !== "map") return;
  const configured = [...entriesAt(root, [section]).keys()];
  for (const [index, id] of namesIn(list).entries()) {
    const itemPath = [...path, index];
    const origin = originAt(root, itemPath);
    const noun = NOUNS[section];
    if (!configured.includes(id)) {
      const problem = `no ${noun} "${id}" is configured${didYouMean(id, configured)}`;
      faults.push({ path: itemPath, problem, origin });
      continue;
    }
    const kind = `${section} ${componentType(id)}`;
    const other = running.get(kind) ?? id;
    running.set(kind, other);
    if (other !== id && !SHAREABLE.has(kind)) {
      const problem = `only one ${componentType(id)} ${noun} can run, and "${other}" does already`;
      faults.push({ path: itemPath, problem, origin });
    }
  }
}

function checkAuthenticators(
  root: ConfigMap,
  running: ReadonlySet<string>,
  faults: ConfigFault[],
): void {
  const listeners: ConfigPath[] = [];
  for (const id of entriesAt(root, ["receivers"]).keys()) {
    listeners.push(["receivers", id, "protocols", "grpc"], ["receivers", id, "protocols", "http"]);
  }
  for (const id of entriesAt(root, ["extensions"]).keys()) listeners.push(["extensions", id]);
  const authenticators = [...running].filter((id) => componentType(id) === "bearertokenauth");
  for (const listener of listeners) {
    const path = [...listener, "auth", "authenticator"];
    const node = nodeAt(root, path);
    if (node?.kind !== "scalar" || typeof node.value !== "string") continue;
    if (authenticators.includes(node.value)) continue;
    const hint = didYouMean(node.value, authenticators);
    const problem = `service.extensions has no authenticator "${node.value}"${hint}`;
    faults.push({ path, problem, origin: node.origin });
  }
}
