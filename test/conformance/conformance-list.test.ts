import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { findTitles, formatRow, readRows, titlesIn } from "../../scripts/conformance-titles.ts";

/** The items of the protocol checklist that this version promises. */
const IN_SCOPE: readonly string[] = [
  ...ids("OTLP", [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 25, 26]),
  ...ids("LOG", [1, 4]),
  ...ids("PIPE", [1, 2, 3, 14]),
  ...ids("PRM", [1, 2]),
  ...ids("TIME", [1, 2, 3, 5]),
  ...ids("SEC", [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13]),
  ...ids("CONF", [1, 2, 3]),
];

const rows = readRows(readFileSync(new URL("../../docs/conformance.md", import.meta.url), "utf8"));
const titles = findTitles();

describe("docs/conformance.md", () => {
  test("has a row for each item in scope", () => {
    const listed = new Set(rows.map((row) => row.id));
    expect(IN_SCOPE.filter((id) => !listed.has(id))).toEqual([]);
  });

  test("names at least one test for each item in scope", () => {
    const bare = rows.filter((row) => IN_SCOPE.includes(row.id) && row.tests.length === 0);
    expect(bare.map((row) => row.id)).toEqual([]);
  });

  test("names no test that is not there, or that does not carry the id", () => {
    const wrong = rows.flatMap((row) =>
      row.tests
        .filter(({ file, title }) => !isThere(row.id, file, title))
        .map(({ file, title }) => `${row.id}: ${file}: ${title}`),
    );
    expect(wrong, "run `node scripts/list-conformance.ts`").toEqual([]);
  });

  test("has a row for each id that a test carries", () => {
    const listed = new Set(rows.map((row) => row.id));
    const carried = new Set(titles.flatMap((title) => title.ids));
    expect([...carried].filter((id) => !listed.has(id))).toEqual([]);
  });
});

describe("reading titles", () => {
  test("titles of tests, of tables and with quotes are found, comments are not", () => {
    const source = [
      'test("plain (SEC-901)", () => {});',
      'test.each(CASES)("%s is refused (SEC-902, SEC-903)", () => {});',
      "const CASES = [[`tabled (SEC-904)`]];",
      "// as SEC-905 asks",
      'test("without an id", () => {});',
    ].join("\n");
    expect(titlesIn("a.test.ts", source).map(({ title, ids: found }) => [title, found])).toEqual([
      ["plain (SEC-901)", ["SEC-901"]],
      ["%s is refused (SEC-902, SEC-903)", ["SEC-902", "SEC-903"]],
      ["tabled (SEC-904)", ["SEC-904"]],
    ]);
  });

  test("a row reads back as it was written", () => {
    const row = {
      id: "SEC-901",
      requirement: "a thing",
      tests: [{ file: "test/a.test.ts", title: 'says "yes" | no (SEC-901)' }],
    };
    expect(readRows(formatRow(row))).toEqual([row]);
  });
});

function ids(prefix: string, numbers: readonly number[]): readonly string[] {
  return numbers.map((number) => `${prefix}-${String(number).padStart(3, "0")}`);
}

function isThere(id: string, file: string, title: string): boolean {
  return titles.some(
    (known) => known.file === file && known.title === title && known.ids.includes(id),
  );
}
