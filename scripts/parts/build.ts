/**
 * Builds the named parts, or all that are missing: `node scripts/parts/build.ts [NAME...]`.
 * A part that cannot be built is named, the others go on; exits 1 if one failed.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isBuilt, markBuilt, type Part, PARTS } from "./part.ts";

const names = process.argv.slice(2);
const unknown = names.filter((name) => !PARTS.some((part) => part.name === name));
if (unknown.length > 0) {
  console.error(`no part ${unknown.join(", ")}: give ${PARTS.map((part) => part.name).join(", ")}`);
  process.exit(2);
}
for (const part of PARTS) {
  if (names.length > 0 ? !names.includes(part.name) : part.isOnlyByName === true) continue;
  const startedMs = performance.now();
  const outcome = isBuilt(part) ? "is built" : build(part) ? "was built" : "FAILED";
  console.log(`${part.name} ${outcome} (${Math.round((performance.now() - startedMs) / 1000)} s)`);
  if (outcome === "FAILED") process.exitCode = 1;
}

function build(part: Part): boolean {
  mkdirSync(part.directory, { recursive: true });
  for (const [name, text] of Object.entries(part.files)) {
    writeFileSync(join(part.directory, name), text);
  }
  for (const step of part.steps) {
    const { status, error } = spawnSync(step.command, step.args, {
      cwd: join(part.directory, step.workDirectory ?? "."),
      stdio: ["ignore", "inherit", "inherit"],
    });
    if (error !== undefined) console.error(`cannot run ${step.command}: ${error.message}`);
    if (status !== 0) return false;
  }
  markBuilt(part);
  return isBuilt(part);
}
