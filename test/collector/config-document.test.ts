import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, expect, test } from "vitest";
import { addServeOptions } from "../../src/cli/serve-options.ts";
import { loadConfig, loadConfigTree } from "../../src/collector/config.ts";
import { AppError } from "../../src/core/errors.ts";

const DOCUMENT = readFileSync(new URL("../../docs/config.md", import.meta.url), "utf8");
const examples = [...DOCUMENT.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map((match) => match[1]);

const directory = mkdtempSync(join(tmpdir(), "dora-config-document-"));
afterAll(() => rmSync(directory, { recursive: true }));
const FILE = join(directory, "dora.yaml");

test("every example of docs/config.md is accepted", () => {
  expect(examples).toHaveLength(2);
  for (const example of examples) {
    writeFileSync(FILE, example);
    expect(() => loadConfig({ file: FILE, flags: {}, env: {} })).not.toThrow();
  }
});

test("the fault that docs/config.md shows is the one that is printed", () => {
  const wrong =
    "receivers:\n  otlp:\n    protocols:\n      htpp:\n      grpc:\nexporters:\n  log_store:\n    retention: 1 week\n";
  writeFileSync(FILE, wrong);
  try {
    loadConfig({ file: FILE, flags: {}, env: {} });
    expect.unreachable();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const printed = `${error.message}\nhint: ${error.hint}`.replaceAll(FILE, "dora.yaml");
    expect(DOCUMENT).toContain(printed);
  }
});

test("every flag of dora serve has a row", () => {
  const flags = addServeOptions(new Command()).options.map((option) => option.long ?? "");
  const rows = [...DOCUMENT.matchAll(/^\| `(--[a-z-]+)/gm)].map((match) => match[1]);
  expect(rows.toSorted()).toEqual(flags.toSorted());
});

test("every setting of the default configuration is documented", () => {
  const keys = new Set<string>();
  const collect = (value: unknown): void => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return;
    for (const [key, item] of Object.entries(value)) {
      keys.add(key);
      collect(item);
    }
  };
  collect(loadConfigTree({ flags: {}, env: {} }).effective);
  expect(keys.size).toBeGreaterThan(20);
  for (const key of keys) expect(DOCUMENT).toContain(key);
});
