import { expect, test } from "vitest";
import { parseFilterFlag } from "../../src/query/filter-flags.ts";
import { parseFilter } from "../../src/query/parse-filter.ts";
import { expectSyntaxError } from "./syntax-failure.ts";

test.each([
  ["error", 17],
  [" ERROR ", 17],
  ["warning", 13],
  ["warn", 13],
  ["info", 9],
  ["trace", 1],
  ["critical", 21],
])("the lone severity name %s means that level and above (LOG-001)", (text, min) => {
  expect(parseFilterFlag(text)).toEqual({ kind: "severity", min, max: 24 });
});

test.each(['"error"', "error timeout", "errors", "level:error", "", "unspecified"])(
  "any other value is the query language: %s",
  (text) => {
    expect(parseFilterFlag(text)).toEqual(parseFilter(text));
  },
);

test("a value that is no query is refused with its position", () => {
  expectSyntaxError(() => parseFilterFlag("level:eror"), { position: 6, says: '"error"' });
  expectSyntaxError(() => parseFilterFlag("error | count"), { position: 6, says: "no pipes" });
});
