import { Document, isMap, isScalar, isSeq } from "yaml";
import type { EffectiveConfig } from "./config-check.ts";
import type { LoadedConfig } from "./config.ts";
import type { ConfigMap, ConfigPath } from "./config-node.ts";
import { DEFAULT_ORIGIN, formatOrigin, nodeAt, originAt } from "./config-node.ts";

/** Keys whose values are never shown (SEC-017). */
const SECRET_KEYS: ReadonlySet<string> = new Set(["token"]);
const REDACTED = "[redacted]";

/**
 * The effective configuration as YAML that is a valid file but for its redacted secrets, each value
 * followed by where it came from.
 */
export function printConfig({ root, effective }: LoadedConfig): string {
  const document = new Document(withoutEmpty(redact(effective, [])));
  annotate(document.contents, [], root);
  return document.toString({ lineWidth: 0 });
}

function redact(value: unknown, path: ConfigPath): unknown {
  const key = path.at(-1);
  if (typeof key === "string" && SECRET_KEYS.has(key)) return REDACTED;
  if (Array.isArray(value)) return value.map((item, index) => redact(item, [...path, index]));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, item]) => [
    name,
    redact(item, [...path, name]),
  ]);
  return Object.fromEntries(entries);
}

/** Sections without a component, such as `connectors`, say nothing. */
function withoutEmpty(config: unknown): EffectiveConfig {
  const isFilled = (value: unknown) =>
    typeof value !== "object" || value === null || Object.keys(value).length > 0;
  return Object.fromEntries(Object.entries(config ?? {}).filter(([, value]) => isFilled(value)));
}

/** Gives each value the comment that names its origin; a list of names has one as a whole. */
function annotate(node: unknown, path: ConfigPath, root: ConfigMap): void {
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      if (isScalar(key)) annotate(value, [...path, String(key.value)], root);
    }
    return;
  }
  if (isSeq(node)) node.flow = true;
  else if (!isScalar(node)) return;
  // What is not in the tree was filled in by the schema.
  const origin = nodeAt(root, path) === undefined ? DEFAULT_ORIGIN : originAt(root, path);
  node.comment = ` ${formatOrigin(origin)}`;
}
