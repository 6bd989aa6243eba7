/** The rows of docs/conformance.md, and the titles of tests that carry ids of the protocol checklist. */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A title in a test file, and the ids that stand in it. */
export interface TestTitle {
  readonly file: string;
  readonly title: string;
  readonly ids: readonly string[];
}

export interface ConformanceRow {
  readonly id: string;
  readonly requirement: string;
  readonly tests: readonly Pick<TestTitle, "file" | "title">[];
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ID = /\b(?:OTLPX?|LOG|PIPE|TIME|SEC|PRM|CONF|CTX)-\d{3}\b/g;
/** Its own cases speak of ids that they do not show. */
const OWN_TEST = "test/conformance/conformance-list.test.ts";
/** A string that is the first argument of `test`, `it` or `describe`, also after `.each(...)`. */
const TITLE = /\b(?:test|it|describe)\b[^"'`;{]*\(\s*(["'`])((?:(?!\1)[^\\\n]|\\.)*)\1/g;
/** A string that ends in ids in brackets, wherever it stands: the titles of tables of cases. */
const TABLED = /(["'`])((?:(?!\1)[^\\\n]|\\.)*\([A-Z]{3,5}-\d{3}[^()\n]*\))\1/g;
const ROW = /^\| ([A-Z]{3,5}-\d{3}) \| (.+?) \| (.*?) ?\|$/gm;
const SHOWN_BY = /`([^`]+)`: "((?:[^"\\]|\\.)*)"/g;

/** All titles that carry an id, by file. */
export function findTitles(): readonly TestTitle[] {
  const files = globSync("test/**/*.test.ts", { cwd: ROOT })
    .filter((file) => file !== OWN_TEST)
    .sort();
  return files.flatMap((file) => titlesIn(file, readFileSync(`${ROOT}/${file}`, "utf8")));
}

export function titlesIn(file: string, text: string): readonly TestTitle[] {
  const found = [...text.matchAll(TITLE), ...text.matchAll(TABLED)].map((match) => match[2] ?? "");
  return [...new Set(found)]
    .map((title) => ({ file, title, ids: [...title.matchAll(ID)].map((match) => match[0]) }))
    .filter(({ ids }) => ids.length > 0);
}

export function readRows(text: string): readonly ConformanceRow[] {
  return [...text.matchAll(ROW)].map(([, id = "", requirement = "", shownBy = ""]) => ({
    id,
    requirement,
    tests: [...shownBy.matchAll(SHOWN_BY)].map(([, file = "", title = ""]) => ({
      file,
      title: title.replaceAll('\\"', '"').replaceAll("\\|", "|"),
    })),
  }));
}

export function formatRow({ id, requirement, tests }: ConformanceRow): string {
  const shownBy = tests.map(
    ({ file, title }) => `\`${file}\`: "${title.replaceAll('"', '\\"').replaceAll("|", "\\|")}"`,
  );
  return `| ${id} | ${requirement} | ${shownBy.join("<br>")} |`;
}
