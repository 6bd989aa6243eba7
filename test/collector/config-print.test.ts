import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { printConfig } from "../../src/collector/config-print.ts";
import type { ServeFlags } from "../../src/collector/config.ts";
import { loadConfigTree } from "../../src/collector/config.ts";

const directory = mkdtempSync(join(tmpdir(), "dora-config-print-"));
afterAll(() => rmSync(directory, { recursive: true }));
const FILE = join(directory, "dora.yaml");

function print(yaml: string, flags: ServeFlags = {}, env = {}): string {
  writeFileSync(FILE, yaml);
  const printed = printConfig(loadConfigTree({ file: FILE, flags, env: { HOME: "/h", ...env } }));
  return printed.replaceAll(FILE, "dora.yaml");
}

test("each value is followed by where it came from", () => {
  const printed = print(
    "exporters:\n  log_store:\n    retention: 30d\n",
    { api: "127.0.0.1:7000" },
    { DORA_DATA_DIR: "/data", OTEL_LOG_LEVEL: "debug" },
  );
  for (const line of [
    "retention: 30d # dora.yaml:3:16",
    "directory: /data # environment DORA_DATA_DIR",
    "endpoint: 127.0.0.1:7000 # flag --api",
    "endpoint: 127.0.0.1:4317 # default",
    "level: debug # environment OTEL_LOG_LEVEL",
    "extensions: [ query_api ] # default",
  ]) {
    expect(printed).toContain(line);
  }
});

test("tokens are redacted, wherever they came from (SEC-017)", () => {
  const yaml =
    'extensions:\n  bearertokenauth: { token: "${env:TOKEN}" }\n  bearertokenauth/b: { token: plain-secret }\n';
  const printed = print(yaml, {}, { TOKEN: "secret-of-the-environment" });
  expect(printed).not.toMatch(/secret/);
  expect(printed).toContain('token: "[redacted]" # dora.yaml:2:29');
});

test("what is printed is a file that means the same", () => {
  const flags = { api: "127.0.0.1:1", tokenFile: "/t", retention: "none", logLevel: "warn" };
  const load = (own: ServeFlags) => loadConfigTree({ file: FILE, flags: own, env: { HOME: "/h" } });
  writeFileSync(FILE, "receivers: { otlp: { protocols: { http: { endpoint: '[::1]:5' } } } }");
  const first = load(flags);
  writeFileSync(FILE, printConfig(first));
  expect(load({}).config).toEqual(first.config);
});

test("text that YAML could take for something else is quoted (SEC-012)", () => {
  const printed = print("exporters: { log_store: { directory: '0x1F' } }");
  expect(printed).toContain('directory: "0x1F" #');
});
