import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { machineLine } from "../../bench/process-usage.ts";
import type { KillReport } from "../fault/kill-rounds.ts";
import { runKillRounds } from "../fault/kill-rounds.ts";

const ROUNDS = 100;
const SEED = 100;
const REPORT = fileURLToPath(new URL("../../docs/reports/kill-100.md", import.meta.url));

test("100 kills under load: every acknowledged record is there once, and no other (PIPE-007)", async () => {
  const startedMs = performance.now();
  const report = await runKillRounds({
    rounds: ROUNDS,
    seed: SEED,
    onRound: (line) => console.log(line),
  });
  await writeFile(REPORT, describe(report, (performance.now() - startedMs) / 1000));
  const { acknowledged, found, lost, twice, invented, broken } = report;
  expect({ lost, twice, invented, broken }).toEqual({
    lost: [],
    twice: [],
    invented: [],
    broken: [],
  });
  expect(found).toBe(acknowledged);
  expect(report.storedByCount).toBe(report.storedByLooking);
});

function describe(report: KillReport, seconds: number): string {
  const rows: readonly (readonly [string, number])[] = [
    ["kills under load", report.kills.underLoad],
    ["kills while starting", report.kills.whileStarting],
    ["records acknowledged", report.acknowledged],
    ["attempts that had to be repeated", report.retries],
    ["records that came twice and were counted once", report.deduplicated],
    ["segments at the end", report.segments],
    ["records found", report.found],
    ["acknowledged and lost", report.lost.length],
    ["stored twice", report.twice.length],
    ["found and never sent", report.invented.length],
    ["restarts at which the counts did not add up, or fell", report.broken.length],
    ["stored by the service's count, its own records too", report.storedByCount],
    ["the same by looking", report.storedByLooking],
  ];
  return [
    `# ${ROUNDS} kills`,
    "",
    "`npm run test:fault` writes this file. Four clients send and retry without a pause; `dora serve` is killed with SIGKILL at random moments, also while it starts and seals, and comes back on the same folder; then everything stored is compared with what the clients were told.",
    "",
    `${new Date().toISOString().slice(0, 10)}, seed ${SEED}, ${seconds.toFixed(0)} s, ${machineLine()}.`,
    "",
    "| what | count |",
    "| --- | --- |",
    ...rows.map(([what, count]) => `| ${what} | ${count.toLocaleString("en-US")} |`),
    "",
  ].join("\n");
}
