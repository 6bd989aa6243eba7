import type { Filter } from "../core/filter.ts";

/** All of them must hold. Nested `and`s are flattened, what decides nothing is left out. */
export function allOf(filters: readonly Filter[]): Filter {
  const parts: Filter[] = [];
  for (const filter of filters) {
    if (filter.kind === "none") return filter;
    if (filter.kind === "and") parts.push(...filter.of);
    else if (filter.kind !== "all") parts.push(filter);
  }
  if (parts.length === 0) return { kind: "all" };
  return parts.length === 1 ? parts[0] : { kind: "and", of: parts };
}

/** One of them must hold. Nested `or`s are flattened, what decides nothing is left out. */
export function anyOf(filters: readonly Filter[]): Filter {
  const parts: Filter[] = [];
  for (const filter of filters) {
    if (filter.kind === "all") return filter;
    if (filter.kind === "or") parts.push(...filter.of);
    else if (filter.kind !== "none") parts.push(filter);
  }
  if (parts.length === 0) return { kind: "none" };
  return parts.length === 1 ? parts[0] : { kind: "or", of: parts };
}

/** It must not hold. */
export function not(filter: Filter): Filter {
  switch (filter.kind) {
    case "all":
      return { kind: "none" };
    case "none":
      return { kind: "all" };
    case "not":
      return filter.of;
    case "and":
    case "or":
    case "text":
    case "severity":
    case "field":
      return { kind: "not", of: filter };
  }
}
