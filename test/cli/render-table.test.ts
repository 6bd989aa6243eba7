import { expect, test } from "vitest";
import { renderTable } from "../../src/cli/render-table.ts";

const text = (rows: Parameters<typeof renderTable>[0]): string =>
  renderTable(rows)
    .map((line) => line.map((piece) => (typeof piece === "string" ? piece : piece.text)).join(""))
    .join("\n");

test("rows become a table, with numbers to the right and text to the left", () => {
  expect(
    text([
      { node: "camera", count: 7 },
      { node: "arm", count: 1234 },
    ]),
  ).toBe(
    [
      "+--------+-------+",
      "| node   | count |",
      "+--------+-------+",
      "| camera |     7 |",
      "| arm    |  1234 |",
      "+--------+-------+",
    ].join("\n"),
  );
});

test("a column that one row lacks is there, and an absent value is a dash", () => {
  expect(text([{ a: 1 }, { b: null }])).toContain("| 1 | - |\n| - | - |");
  expect(
    text([{ a: "x" }, { b: "y" }])
      .split("\n")
      .slice(3, 5),
  ).toEqual(["| x | - |", "| - | y |"]);
});

test("control characters neither reach the terminal nor bend the table (SEC-009)", () => {
  const lines = text([{ "no\nde": "a\u001b[2J" }, { "no\nde": "東京" }]).split("\n");
  expect(lines).toEqual([
    "+------------+",
    String.raw`| no\nde     |`,
    "+------------+",
    String.raw`| a\u001b[2J |`,
    "| 東京       |",
    "+------------+",
  ]);
});

test("no rows are no table", () => {
  expect(text([])).toBe("");
});

test("lists and objects are shown as JSON, and a long cell is cut", () => {
  expect(text([{ a: { b: [1] } }])).toContain('| {"b":[1]} |');
  expect(text([{ a: "x".repeat(500) }])).toContain(`${"x".repeat(117)}... |`);
});
