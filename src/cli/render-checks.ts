import type { Check } from "./doctor-checks.ts";
import type { Piece } from "./output.ts";
import { renderTable } from "./render-table.ts";
import type { Icons } from "./terminal-look.ts";

/**
 * All checks as a table, then what to do, a line each; last whether something failed.
 *
 *     +---------+---------+----------------+
 *     | Check   | Status  | Found          |
 *     +---------+---------+----------------+
 *     | memory  | warning | 200 MiB        |
 *     +---------+---------+----------------+
 *
 *     💡 memory: end what needs much, or give the container more
 */
export function renderChecks(all: readonly Check[], icons: Icons): readonly (readonly Piece[])[] {
  const rows = all.map(({ check, status, found }) => ({
    Check: check,
    Status: status,
    Found: found,
  }));
  const fixes = all.flatMap(({ check, status, fix }): readonly (readonly Piece[])[] => {
    if (fix === undefined) return [];
    const style = status === "failed" ? "error" : status === "warning" ? "warning" : "plain";
    return [[`${icons.hint} `, { text: check, style }, `: ${fix}`]];
  });
  return [...renderTable(rows), ...(fixes.length === 0 ? [] : [[]]), ...fixes, [], [summary(all)]];
}

function summary(all: readonly Check[]): Piece {
  const failed = all.filter(({ status }) => status === "failed").length;
  const warned = all.filter(({ status }) => status === "warning").length;
  if (failed > 0) return { text: `${failed} of ${all.length} checks failed`, style: "error" };
  if (warned > 0) return { text: `nothing failed, ${count(warned)}`, style: "warning" };
  return { text: "all is well", style: "success" };
}

function count(warnings: number): string {
  return `${warnings} warning${warnings === 1 ? "" : "s"}`;
}
