import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { dataflowSchema } from "../../../scripts/dataflow-schema.ts";

const FILE = new URL("../../../docs/dataflow.schema.json", import.meta.url);

test("docs/dataflow.schema.json is what `node scripts/dataflow-schema.ts` writes", () => {
  expect(JSON.parse(readFileSync(FILE, "utf8"))).toEqual(dataflowSchema());
});

test("keys that are not supported are known to editors, and marked so", () => {
  const { properties } = dataflowSchema();
  expect(properties?.["strict_types"]).toMatchObject({ deprecated: true });
  expect(JSON.stringify(dataflowSchema())).toContain('"git":{"deprecated":true');
  expect(properties?.["default_transport"]).not.toHaveProperty("deprecated");
});
