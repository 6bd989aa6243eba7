/** The page docs/reports/compare.md: the tables, and what a reader must know to judge them. */
import { type Comparison, toMarkdown } from "./report.ts";

export function toReport(comparison: Comparison): string {
  const { machine, loadBefore, recordCount, runCount, skipped } = comparison;
  const missing =
    skipped.length === 0 ? "" : ` Not installed on that machine: ${skipped.join(", ")}.`;
  return `# Side by side

Written by \`node bench/compare/run.ts --records ${recordCount} --runs ${runCount} --write\`; how the peers are set up and
asked is in [bench/compare/README.md](../../bench/compare/README.md).

Machine: ${machine}; its load average was ${loadBefore.toFixed(1)} before the run (0 is quiet). The load is that of \`bench/load.ts\`, ${recordCount.toLocaleString("en")} records.${missing}

Each cell: fastest / median / CPU of one run on average, in milliseconds, of ${runCount} runs in turn. The fastest median is in bold. Every
answer was checked to equal ours before it was measured. The file cache is warm for all, and no cache of results is on. Ours is
asked over HTTP and its time is the client's, up to the last byte; embedded engines are asked inside their process, with no
network in their time.

![Median time of each question, by contestant](../pictures/compare.svg)

${toMarkdown(comparison)}`;
}
