/**
 * Ours side by side with the peers: the same records, the same questions, the answers checked equal,
 * the contestants in turn in one run. How to install peers, and what is fair about it: README.md.
 *
 *     node bench/compare/run.ts [--records N] [--runs N] [--peers dora,duckdb,...] [--json FILE] [--write]
 *
 * `--write` puts the result into docs/reports/compare.md and docs/pictures/compare.svg. Exits 1 where
 * a peer answers a question differently.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { DEFAULT_LOAD } from "../load.ts";
import { openLoadFiles } from "../load-file.ts";
import { findNeedles } from "../needles.ts";
import { machineLine, peakResidentBytes } from "../process-usage.ts";
import { makeQueryClasses } from "../query-classes.ts";
import { toSvg } from "./chart.ts";
import { ClickHouse } from "./clickhouse.ts";
import { type Contestant, NotInstalledError, type Setting } from "./contestant.ts";
import { Dora } from "./dora.ts";
import { DuckDb } from "./duckdb.ts";
import { Elasticsearch } from "./elasticsearch.ts";
import { measureQuestion, type QuestionResult } from "./measure.ts";
import { resetPeakResident } from "./process-cpu.ts";
import { type Comparison, type ContestantFigures, toMarkdown } from "./report.ts";
import { toReport } from "./report-page.ts";

/** Ours comes first: its answers are what the others' are held against. */
const PEERS: ReadonlyMap<string, (setting: Setting) => Promise<Contestant>> = new Map([
  ["dora", (setting: Setting): Promise<Contestant> => Dora.start(setting)],
  ["duckdb", (setting: Setting): Promise<Contestant> => DuckDb.start(setting)],
  ["clickhouse", (setting: Setting): Promise<Contestant> => ClickHouse.start(setting)],
  ["elasticsearch", (setting: Setting): Promise<Contestant> => Elasticsearch.start(setting)],
]);

const DOCS = fileURLToPath(new URL("../../docs", import.meta.url));

const { values } = parseArgs({
  options: {
    records: { type: "string", default: String(DEFAULT_LOAD.recordCount) },
    runs: { type: "string", default: "9" },
    peers: { type: "string", default: [...PEERS.keys()].join(",") },
    json: { type: "string" },
    write: { type: "boolean", default: false },
  },
});
const [loadBefore = 0] = loadavg();
const recordCount = Number(values.records);
const runCount = Number(values.runs);
const names = values.peers.split(",");
const unknown = names.filter((name) => !PEERS.has(name));
if (unknown.length > 0) {
  console.error(`no peer ${unknown.join(", ")}: give some of ${[...PEERS.keys()].join(",")}`);
  process.exit(2);
}
const files = await openLoadFiles({ ...DEFAULT_LOAD, recordCount });
const directory = mkdtempSync(join(tmpdir(), "dora-compare-"));
const contestants: Contestant[] = [];
const skipped: string[] = [];
try {
  console.log(machineLine());
  const loaded: Omit<ContestantFigures, "peakAnsweringBytes">[] = [];
  for (const [name, start] of PEERS) {
    if (!names.includes(name)) continue;
    const contestant = await startOrSkip(name, start);
    if (contestant !== undefined) loaded.push(await load(contestant));
  }
  const questions: QuestionResult[] = [];
  for (const question of makeQueryClasses(await findNeedles(files.table, recordCount))) {
    questions.push(await measureQuestion(question, contestants, runCount));
    console.log(`asked: ${question.name}`);
  }
  const figures: ContestantFigures[] = [];
  for (const [index, { pid }] of contestants.entries()) {
    const before = loaded[index];
    if (before !== undefined)
      figures.push({ ...before, peakAnsweringBytes: peakResidentBytes(pid) });
  }
  const comparison: Comparison = {
    machine: machineLine(),
    loadBefore,
    recordCount,
    runCount,
    contestants: figures,
    questions,
    skipped,
  };
  publish(comparison);
} finally {
  for (const contestant of contestants) await contestant.close();
  rmSync(directory, { recursive: true, force: true });
}

async function startOrSkip(
  name: string,
  start: (setting: Setting) => Promise<Contestant>,
): Promise<Contestant | undefined> {
  const ownDirectory = join(directory, name);
  mkdirSync(ownDirectory);
  try {
    const contestant = await start({
      directory: ownDirectory,
      recordCount,
      otlpFile: files.otlp,
      tableFile: files.table,
    });
    contestants.push(contestant);
    return contestant;
  } catch (error) {
    if (!(error instanceof NotInstalledError)) throw error;
    skipped.push(name);
    console.log(`${name} is skipped: ${error.message}`);
    return undefined;
  }
}

async function load(
  contestant: Contestant,
): Promise<Omit<ContestantFigures, "peakAnsweringBytes">> {
  const { name, version, route, pid } = contestant;
  const loads = await contestant.load();
  const peakLoadingBytes = peakResidentBytes(pid);
  resetPeakResident(pid);
  for (const { how, rows, wallSeconds, cpuSeconds } of loads) {
    const took = `${wallSeconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} CPU s`;
    console.log(`${name} took ${rows} rows in ${took}: ${how}`);
  }
  return { name, version, route, loads, peakLoadingBytes, diskBytes: await contestant.diskBytes() };
}

function publish(comparison: Comparison): void {
  console.log(`\n${toMarkdown(comparison)}`);
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify(comparison, undefined, 2)}\n`);
  }
  if (values.write) {
    for (const folder of ["reports", "pictures"])
      mkdirSync(join(DOCS, folder), { recursive: true });
    writeFileSync(join(DOCS, "reports", "compare.md"), toReport(comparison));
    writeFileSync(join(DOCS, "pictures", "compare.svg"), toSvg(comparison));
  }
  const differs = comparison.questions.some(({ outcomes }) =>
    Object.values(outcomes).some(({ status }) => status === "differs"),
  );
  if (differs) process.exitCode = 1;
}
