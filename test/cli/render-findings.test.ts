import { expect, test } from "vitest";
import type { FindingsOf } from "../../src/cli/render-findings.ts";
import { countFindings, renderFindings } from "../../src/cli/render-findings.ts";

const text = (findings: FindingsOf): readonly string[] =>
  renderFindings(findings).map((line) =>
    line.map((piece) => (typeof piece === "string" ? piece : piece.text)).join(""),
  );

const at = (line: number, column: number, length: number) =>
  ({ code: "wrong-value", line, column, length, message: "no good" }) as const;

test("each finding has its place, its words, its line, and marks below what is meant", () => {
  const lines = text({
    file: "flow.yml",
    text: "nodes:\r\n  - id: a b\r\n",
    problems: [at(2, 9, 3)],
    warnings: [at(1, 1, 5)],
  });
  expect(lines).toEqual([
    "flow.yml:1:1: warning: no good",
    "    1 | nodes:",
    "      | ^^^^^",
    "flow.yml:2:9: error: no good",
    "    2 |   - id: a b",
    "      |         ^^^",
  ]);
});

test("the marks stand below what is meant behind tabs and wide characters too", () => {
  const [, shown = "", marks = ""] = text({
    file: "f",
    text: "\ta: 東京 x",
    problems: [at(1, 8, 1)],
    warnings: [],
  });
  expect(shown).toBe(String.raw`    1 | \ta: 東京 x`);
  expect(marks).toBe("      |           ^");
});

test("a long line is cut around what is meant", () => {
  const [, shown = "", marks = ""] = text({
    file: "f",
    text: `${"a".repeat(500)}HERE${"b".repeat(500)}`,
    problems: [at(1, 501, 4)],
    warnings: [],
  });
  expect(shown).toMatch(/^ {4}1 \| \.\.\.a{60}HEREb{56}\.\.\.$/);
  expect(marks.indexOf("^^^^")).toBe(shown.indexOf("HERE"));
});

test("a place behind the end of the file has no line to show", () => {
  const options = { file: "f", text: "", problems: [at(1, 1, 1)], warnings: [at(7, 1, 1)] };
  expect(text(options)).toEqual(["f:1:1: error: no good", "f:7:1: warning: no good"]);
});

test("what came from the file cannot reach the terminal (SEC-009)", () => {
  const [, shown] = text({
    file: "f",
    text: "a: \u001b[2J\u202e",
    problems: [at(1, 4, 4)],
    warnings: [],
  });
  expect(shown).toBe(String.raw`    1 | a: \u001b[2J\u202e`);
});

test("counts say one and many", () => {
  expect(countFindings(1, 0)).toBe("1 problem");
  expect(countFindings(2, 1)).toBe("2 problems, 1 warning");
});
