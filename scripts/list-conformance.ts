/**
 * Writes docs/conformance.md's last column anew: for each item the tests whose titles carry its id.
 * Run it after adding such a test; test/conformance/conformance-list.test.ts says when it is needed.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { findTitles, formatRow, readRows } from "./conformance-titles.ts";

const DOCUMENT = new URL("../docs/conformance.md", import.meta.url);

const text = readFileSync(DOCUMENT, "utf8");
const titles = findTitles();
const lines = text.split("\n").map((line) => {
  const [row] = readRows(line);
  if (row === undefined) return line;
  return formatRow({ ...row, tests: titles.filter((title) => title.ids.includes(row.id)) });
});
writeFileSync(DOCUMENT, lines.join("\n"));
for (const row of readRows(lines.join("\n"))) {
  if (row.tests.length === 0) console.log(`no test carries ${row.id}`);
}
