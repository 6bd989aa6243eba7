/**
 * Runs one suite and prints `N passed, N failed` as its very last line.
 *
 * unit:  types, lint, format and dead code, each counting as one test, then everything that needs
 *        nothing but this checkout.
 * parts: tests against real peers (scripts/parts); those not built are skipped by name.
 * fault: the long fault runs.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { PARTS, isBuilt } from "./parts/part.ts";

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Suite {
  readonly checks: readonly Check[];
  readonly vitestConfig: string;
}

/** A command that passes or fails as a whole. */
interface Check {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

const CHECKS: readonly Check[] = [
  { name: "types", command: "tsc", args: ["--noEmit"] },
  { name: "lint", command: "oxlint", args: ["--type-aware", "--deny-warnings"] },
  { name: "format", command: "oxfmt", args: ["--check"] },
  { name: "dead code", command: "knip", args: [] },
];

const SUITES: ReadonlyMap<string, Suite> = new Map([
  ["unit", { checks: CHECKS, vitestConfig: "vitest.config.ts" }],
  ["parts", { checks: [], vitestConfig: "vitest.parts.config.ts" }],
  ["fault", { checks: [], vitestConfig: "vitest.fault.config.ts" }],
]);

/** What we read of vitest's JSON report. */
const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.object({ status: z.string() })),
    }),
  ),
});

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const suiteName = process.argv[2] ?? "unit";
const suite = SUITES.get(suiteName);
if (suite === undefined) {
  console.error(`no suite "${suiteName}": give one of ${[...SUITES.keys()].join(", ")}`);
  process.exit(2);
}
const results: Counts[] = [];
for (const check of suite.checks) results.push(await runCheck(check));
results.push(await runVitest(suite.vitestConfig, process.argv.slice(3)));
const total = results.reduce(addCounts);
if (total.skipped > 0) printMissingParts();
const skippedText = total.skipped === 0 ? "" : `, ${total.skipped} skipped`;
console.log(`${total.passed} passed, ${total.failed} failed${skippedText}`);
process.exitCode = total.failed === 0 ? 0 : 1;

async function runCheck(check: Check): Promise<Counts> {
  const startedMs = performance.now();
  const hasPassed = (await run(check.command, check.args)) === 0;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${hasPassed ? "passed" : "FAILED"}: ${check.name} (${seconds} s)`);
  return { passed: hasPassed ? 1 : 0, failed: hasPassed ? 0 : 1, skipped: 0 };
}

async function runVitest(config: string, args: readonly string[]): Promise<Counts> {
  const directory = mkdtempSync(join(tmpdir(), "dora-report-"));
  try {
    const reportFile = join(directory, "report.json");
    const exitCode = await run("vitest", [
      "run",
      "--passWithNoTests",
      `--config=${config}`,
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${reportFile}`,
      ...args,
    ]);
    const counts = readReport(reportFile);
    // An error outside of any test, such as an unhandled rejection, fails the run without a test.
    return exitCode !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Counts the tests in a report; a file that fails before its first test counts as one failure. */
function readReport(file: string): Counts {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    console.error(`vitest left no report: ${String(error)}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const perFile = Report.parse(JSON.parse(text)).testResults.map((result) => {
    const count = (status: string): number =>
      result.assertionResults.filter((test) => test.status === status).length;
    const passed = count("passed");
    const failed = count("failed");
    const skipped = result.assertionResults.length - passed - failed;
    return { passed, failed: result.status === "failed" ? Math.max(1, failed) : failed, skipped };
  });
  return perFile.reduce(addCounts, { passed: 0, failed: 0, skipped: 0 });
}

function printMissingParts(): void {
  for (const part of PARTS.filter((candidate) => !isBuilt(candidate))) {
    console.log(`missing: ${part.name} (${part.needs}); \`npm run parts:build -- ${part.name}\``);
  }
}

function addCounts(left: Counts, right: Counts): Counts {
  return {
    passed: left.passed + right.passed,
    failed: left.failed + right.failed,
    skipped: left.skipped + right.skipped,
  };
}

function run(command: string, args: readonly string[]): Promise<number> {
  const path = [join(ROOT, "node_modules/.bin"), process.env["PATH"] ?? ""].join(delimiter);
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...process.env, PATH: path },
    stdio: ["ignore", "inherit", "inherit"],
  });
  return new Promise((resolve) => {
    child.once("error", (error) => {
      console.error(`cannot run ${command}: ${error.message}`);
      resolve(1);
    });
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
