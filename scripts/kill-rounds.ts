/**
 * `npm run test:kill -- --rounds N [--seconds S] [--seed S]`: kills a store N times, adds what it
 * found to docs/reports/kill-rounds.jsonl, and writes docs/reports/kill-rounds.md anew.
 *
 * A part that Ctrl-C, SIGTERM or `--seconds` ends early is checked and counted as far as it came; one
 * that is killed itself, up to its last check of everything. Ends with 1 where anything was found.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { KillPartReport } from "../test/fault/kill-part.ts";
import { runKillPart } from "../test/fault/kill-part.ts";
import type { KillPartName } from "../test/fault/kill-ledger.ts";
import { entryOf, writeLedger } from "../test/fault/kill-ledger.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FILES = {
  ledger: fileURLToPath(new URL("../docs/reports/kill-rounds.jsonl", import.meta.url)),
  report: fileURLToPath(new URL("../docs/reports/kill-rounds.md", import.meta.url)),
};
const SEED_MAX = 2 ** 31;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "1000" },
    seconds: { type: "string", default: "3600" },
    seed: { type: "string", default: String(Date.now() % SEED_MAX) },
  },
});
const rounds = readNumber("rounds", values.rounds);
const seconds = readNumber("seconds", values.seconds);
const name: KillPartName = {
  began: new Date().toISOString(),
  commit: describeCommit(),
  node: process.version,
  seed: readNumber("seed", values.seed),
};

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
const end = AbortSignal.any([stop.signal, AbortSignal.timeout(seconds * 1000)]);
const report = await runKillPart({ rounds, seed: name.seed, signal: end, onChecked: keep });
await keep(report);
for (const sentence of report.findings.sentences) console.log(sentence);
const { lost, twice, invented, broken } = report.findings;
if (lost + twice + invented + broken > 0) process.exitCode = 1;

async function keep(current: KillPartReport): Promise<void> {
  const entries = await writeLedger(FILES, entryOf(name, current));
  const all = entries.reduce((sum, entry) => sum + entry.rounds, 0);
  const { findings } = current;
  console.log(
    `${current.rounds} kills in ${current.seconds.toFixed(0)} s (seed ${name.seed}), ` +
      `${current.acknowledged} acknowledged, ${findings.lost} lost, ${findings.twice} twice, ` +
      `${findings.invented} invented, ${findings.broken} broken; ${all} kills in all parts`,
  );
}

function readNumber(option: string, text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  console.error(`--${option} must be a whole number, got "${text}"`);
  process.exit(2);
}

/** The commit's short name, with `+` where sources differ from it. */
function describeCommit(): string {
  const git = (...args: readonly string[]): string =>
    execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--", "src", "test/fault");
  return `${git("rev-parse", "--short", "HEAD")}${changed === "" ? "" : "+"}`;
}
