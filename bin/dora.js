#!/usr/bin/env node
// Starts the command line: the built one in the package, the sources in a checkout.
import { existsSync } from "node:fs";

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `dora needs Node.js 22.18 or newer, this is ${process.version}\n` +
      "hint: install a newer Node.js, or run `npx -p node@24 -p dora-dataflow dora`",
  );
  process.exit(1);
}
const built = new URL("../dist/cli/main.js", import.meta.url);
const entry = existsSync(built) ? built : new URL("../src/cli/main.ts", import.meta.url);
await import(entry.href);
