import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { entryOf, readLedger, writeLedger } from "./kill-ledger.ts";
import type { KillPartReport } from "./kill-part.ts";

function report(rounds: number, lost = 0): KillPartReport {
  return {
    rounds,
    acknowledged: 1000 * rounds,
    retried: rounds,
    kills: { start: 1, seal: 2, merge: 3, retention: 4, journal: 5 },
    fullChecks: 1,
    expired: 7,
    sealed: 30,
    merged: 10,
    segments: 9,
    findings: { lost, twice: 0, invented: 0, broken: 0, sentences: [] },
    seconds: rounds / 4,
  };
}

function name(minute: number): {
  readonly began: string;
  readonly commit: string;
  readonly node: string;
  readonly seed: number;
} {
  return { began: `2026-11-22T20:0${minute}:00.000Z`, commit: "abc1234", node: "v24.0.0", seed: 1 };
}

test("parts add up, and a later state of a part takes the place of an earlier one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dora-ledger-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const files = { ledger: join(folder, "kills.jsonl"), report: join(folder, "kills.md") };
  expect(await readLedger(files.ledger)).toEqual([]);
  await writeLedger(files, entryOf(name(1), report(100)));
  await writeLedger(files, entryOf(name(2), report(100)));
  await writeLedger(files, entryOf(name(2), report(1100, 2)));
  const entries = await readLedger(files.ledger);
  expect(entries.map(({ rounds }) => rounds)).toEqual([100, 1100]);
  const text = readFileSync(files.report, "utf8");
  expect(text).toContain("# 1,200 kills\n");
  expect(text).toContain("2 parts, 300 s, 0.25 s a kill.");
  expect(text).toContain("| records acknowledged | 1,200,000 |");
  expect(text).toContain("| while segments were merged | 6 |");
  expect(text).toContain("| segments that came by merges | 20 |");
  expect(text).toContain("| acknowledged and lost | 2 |");
  expect(text).toContain("| 2026-11-22 20:02 | abc1234 | v24.0.0 | 1 | 1,100 | 1,100,000 | 2 |");
});

test("a line that is no part is refused", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dora-ledger-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const files = { ledger: join(folder, "kills.jsonl"), report: join(folder, "kills.md") };
  await writeLedger(files, { ...entryOf(name(1), report(1)), rounds: -1 });
  await expect(readLedger(files.ledger)).rejects.toThrow("rounds");
});
