import type { z } from "zod";
import type { FilePath } from "./file-text.ts";

/** Names of the keys that a schema knows at a path; of all forms where there are several. */
export function keysAt(schema: z.core.$ZodType, path: FilePath): readonly string[] {
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
