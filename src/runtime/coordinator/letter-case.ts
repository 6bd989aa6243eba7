/**
 * Names of keys between our types and the API: `latencyP50Ns` here is `latency_p50_ns` there, as in
 * the log service's API.
 */

import { AppError } from "../../core/errors.ts";

const DEPTH_MAX = 64;

/** Keys whose values have names of the user's as keys: these stay as they are. */
const OWN_NAMES: ReadonlySet<string> = new Set(["set", "environment", "parameters"]);

export function snakeName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function camelName(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** A copy for the API. */
export function snakeKeys(value: unknown): unknown {
  return renameKeys(value, snakeName);
}

/**
 * A copy of what the API's other side has sent; to be checked by a schema.
 *
 * Errors: `REQUEST_INVALID` for what is nested deeper than any request.
 */
export function camelKeys(value: unknown): unknown {
  return renameKeys(value, camelName);
}

function renameKeys(value: unknown, rename: (name: string) => string, depth = 0): unknown {
  if (depth > DEPTH_MAX) {
    throw new AppError("REQUEST_INVALID", `the body is nested deeper than ${DEPTH_MAX}`);
  }
  if (Array.isArray(value)) return value.map((item) => renameKeys(item, rename, depth + 1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      rename(name),
      OWN_NAMES.has(name) ? inner : renameKeys(inner, rename, depth + 1),
    ]),
  );
}
