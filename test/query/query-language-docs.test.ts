import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseQuery } from "../../src/query/parse-query.ts";
import { PIPES } from "../../src/query/pipes.ts";
import { expectSyntaxError } from "./syntax-failure.ts";

const text = readFileSync(new URL("../../docs/query-language.md", import.meta.url), "utf8");

/** The code in the first cell of every table row whose table is headed "write". */
function writtenExamples(): readonly string[] {
  const examples: string[] = [];
  let isQueryTable = false;
  for (const line of text.split("\n")) {
    if (!line.startsWith("|")) isQueryTable = false;
    if (line.startsWith("| write |")) isQueryTable = true;
    const example = /^\| `(.*?[^\\])` \|/.exec(line)?.[1];
    if (isQueryTable && example !== undefined) examples.push(example.replaceAll("\\|", "|"));
  }
  return examples;
}

test.each(writtenExamples())("the documented query %s is read", (example) => {
  expect(() => parseQuery(example)).not.toThrow();
});

test("blocks of queries are read, and the shown error is the one that is given", () => {
  const queries = [...text.matchAll(/```query\n([^]*?)```/g)].map(([, block = ""]) => block);
  expect(queries.length).toBeGreaterThan(0);
  for (const query of queries) expect(() => parseQuery(query), query).not.toThrow();
  const shown = /```text\n([^]*?)\n```/.exec(text)?.[1] ?? "";
  const query = shown.split("\n")[1]?.trim() ?? "";
  const position = (shown.split("\n")[2] ?? "").indexOf("^") - 2;
  expectSyntaxError(() => parseQuery(query), { position, says: shown });
});

test("every pipe is documented", () => {
  const examples = writtenExamples();
  expect(examples.length).toBeGreaterThan(40);
  for (const keyword of PIPES.keys()) {
    expect(
      examples.some((example) => example.includes(`| ${keyword}`)),
      keyword,
    ).toBe(true);
  }
});
