import { readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import type { KillPartReport } from "./kill-part.ts";

const Count = z.number().int().nonnegative();
const Kills = z.strictObject({
  start: Count,
  seal: Count,
  merge: Count,
  retention: Count,
  journal: Count,
});

/** One part, a line of the ledger. */
const Entry = z.strictObject({
  /** When it began, ISO 8601. */
  began: z.string(),
  /** Of the sources; with `+` where they were changed since. */
  commit: z.string(),
  node: z.string(),
  seed: Count,
  rounds: Count,
  acknowledged: Count,
  retried: Count,
  lost: Count,
  twice: Count,
  invented: Count,
  broken: Count,
  kills: Kills,
  full_checks: Count,
  expired: Count,
  sealed: Count,
  merged: Count,
  segments: Count,
  seconds: z.number().nonnegative(),
  /** What somebody has found out about it since. */
  note: z.string().exactOptional(),
});
export type KillEntry = z.infer<typeof Entry>;

/** Where and what a part was. */
export type KillPartName = Pick<KillEntry, "began" | "commit" | "node" | "seed">;

export function entryOf(name: KillPartName, report: KillPartReport): KillEntry {
  const { lost, twice, invented, broken } = report.findings;
  return {
    ...name,
    rounds: report.rounds,
    acknowledged: report.acknowledged,
    retried: report.retried,
    lost,
    twice,
    invented,
    broken,
    kills: report.kills,
    full_checks: report.fullChecks,
    expired: report.expired,
    sealed: report.sealed,
    merged: report.merged,
    segments: report.segments,
    seconds: Math.round(report.seconds * 10) / 10,
  };
}

/** All parts so far; none where there is no ledger yet. */
export async function readLedger(file: string): Promise<readonly KillEntry[]> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => Entry.parse(JSON.parse(line)));
}

/** Adds a part, or, where it began at the same time, puts it in the place of an earlier state. */
export async function writeLedger(
  files: { readonly ledger: string; readonly report: string },
  entry: KillEntry,
): Promise<readonly KillEntry[]> {
  const before = await readLedger(files.ledger);
  const entries = [...before.filter(({ began }) => began !== entry.began), entry];
  await replaceFile(files.ledger, entries.map((one) => `${JSON.stringify(one)}\n`).join(""));
  await replaceFile(files.report, describeLedger(entries));
  return entries;
}

async function replaceFile(file: string, text: string): Promise<void> {
  await writeFile(`${file}.tmp`, text);
  await rename(`${file}.tmp`, file);
}

/** The sums of all parts, for people. */
export function describeLedger(entries: readonly KillEntry[]): string {
  const sum = (of: (entry: KillEntry) => number): number =>
    entries.reduce((total, entry) => total + of(entry), 0);
  const rounds = sum((entry) => entry.rounds);
  const seconds = sum((entry) => entry.seconds);
  const rows: readonly (readonly [string, number])[] = [
    ["kills", rounds],
    ["while the store started", sum(({ kills }) => kills.start)],
    ["while rows were sealed", sum(({ kills }) => kills.seal)],
    ["while segments were merged", sum(({ kills }) => kills.merge)],
    ["while segments expired", sum(({ kills }) => kills.retention)],
    ["while a frame of the journal was on its way to disk", sum(({ kills }) => kills.journal)],
    ["records acknowledged", sum((entry) => entry.acknowledged)],
    [
      "requests that a kill left unanswered, and that were sent again",
      sum((entry) => entry.retried),
    ],
    ["records that expired", sum((entry) => entry.expired)],
    ["segments that came by seals", sum((entry) => entry.sealed)],
    ["segments that came by merges", sum((entry) => entry.merged)],
    ["comparisons of everything", sum((entry) => entry.full_checks)],
    ["acknowledged and lost", sum((entry) => entry.lost)],
    ["stored twice", sum((entry) => entry.twice)],
    ["found and never sent", sum((entry) => entry.invented)],
    [
      "starts at which the counts did not add up, fell, or were not what was found",
      sum((entry) => entry.broken),
    ],
  ];
  const parts = entries.map(
    ({ began, commit, node, ...entry }) =>
      `| ${began.slice(0, 16).replace("T", " ")} | ${commit} | ${node} | ${entry.seed} | ${amount(entry.rounds)} | ${amount(entry.acknowledged)} | ${entry.lost} | ${entry.twice} | ${entry.invented} | ${entry.broken} | ${entry.seconds.toFixed(0)} |`,
  );
  return [
    `# ${amount(rounds)} kills`,
    "",
    "`npm run test:kill -- --rounds N` adds a part to `kill-rounds.jsonl` and writes this file. A process with a store of small limits, so that it seals, merges and expires all the time, takes logs and spans and is killed with SIGKILL: at random moments, while it starts, and at chosen calls of the file system, before, during and after them. It starts again on the same folder, and what it holds is compared with what it acknowledged: the last rounds each time, everything every 100 rounds. Where a kill fell is what the store was doing by its calls; one kill may be in several of them. The same with the whole service is in [kill-100.md](kill-100.md).",
    "",
    `${amount(entries.length)} parts, ${amount(Math.round(seconds))} s, ${(seconds / Math.max(1, rounds)).toFixed(2)} s a kill.`,
    "",
    "| what | count |",
    "| --- | --- |",
    ...rows.map(([what, count]) => `| ${what} | ${amount(count)} |`),
    "",
    "## The parts",
    "",
    "| began | commit | Node | seed | kills | acknowledged | lost | twice | invented | broken | s |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...parts,
    "",
    ...entries.flatMap(({ began, note }) =>
      note === undefined ? [] : [`- ${began.slice(0, 16).replace("T", " ")}: ${note}`, ""],
    ),
  ].join("\n");
}

function amount(count: number): string {
  return count.toLocaleString("en-US");
}
