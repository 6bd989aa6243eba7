/**
 * Writes docs/dataflow.schema.json, by which editors complete and check dataflow files, from the schema
 * that reads them. test/runtime/dataflow/json-schema.test.ts says when it is needed.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { DataflowFile } from "../src/runtime/dataflow/file-schema.ts";
import type { UnsupportedKey } from "../src/runtime/dataflow/unsupported-keys.ts";
import {
  UNSUPPORTED_NODE_KEYS,
  UNSUPPORTED_OPERATOR_KEYS,
  UNSUPPORTED_ROOT_KEYS,
} from "../src/runtime/dataflow/unsupported-keys.ts";

const FILE = new URL("../docs/dataflow.schema.json", import.meta.url);

/** The schema. Keys that are not supported are known to it, and marked as deprecated. */
export function dataflowSchema(): z.core.JSONSchema.JSONSchema {
  const schema = z.toJSONSchema(DataflowFile, {
    io: "input",
    reused: "ref",
    override: ({ zodSchema, jsonSchema }) => {
      const { properties = {} } = jsonSchema;
      const unsupported = unsupportedAt(zodSchema, Object.keys(properties));
      if (unsupported.size === 0) return;
      jsonSchema.properties = { ...properties, ...deprecated(unsupported) };
    },
  });
  return { ...schema, title: "dora dataflow file" };
}

/** Objects are told apart by the keys that only they have. */
function unsupportedAt(
  schema: z.core.$ZodType,
  keys: readonly string[],
): ReadonlyMap<string, UnsupportedKey> {
  if (schema._zod.def.type !== "object") return new Map();
  if (keys.includes("nodes")) return UNSUPPORTED_ROOT_KEYS;
  if (keys.includes("operators")) return UNSUPPORTED_NODE_KEYS;
  return keys.includes("shared-library") ? UNSUPPORTED_OPERATOR_KEYS : new Map();
}

function deprecated(
  keys: ReadonlyMap<string, UnsupportedKey>,
): Record<string, z.core.JSONSchema.JSONSchema> {
  return Object.fromEntries(
    [...keys].map(([key, { as, advice }]) => {
      const words = as === "problem" ? "not supported" : "has no effect";
      return [key, { deprecated: true, description: `${words}: ${advice}` }];
    }),
  );
}

if (import.meta.main) {
  writeFileSync(FILE, `${JSON.stringify(dataflowSchema(), null, 2)}\n`);
  execFileSync("npx", ["oxfmt", fileURLToPath(FILE)], { stdio: "inherit" });
}
