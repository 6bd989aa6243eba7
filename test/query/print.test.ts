import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Filter } from "../../src/core/filter.ts";
import { AppError } from "../../src/core/errors.ts";
import { parseFilter } from "../../src/query/parse-filter.ts";
import { parseQuery, printQuery } from "../../src/query/parse-query.ts";
import { printFilter } from "../../src/query/print-filter.ts";
import { logRecord } from "./log-record.ts";
import { matchesRecord } from "./naive-evaluator.ts";
import { query, textMatch } from "./query-arbitrary.ts";

describe("printing", () => {
  test("reading what was printed gives an equal query", () => {
    fc.assert(
      fc.property(query, (tree) => {
        const printed = printQuery(tree);
        // Trees are small, but a graph of 1,000 nodes may pass a limit of the language.
        fc.pre(Buffer.byteLength(printed) <= 8192 && (printed.match(/\//g) ?? []).length < 16);
        expect(parseQuery(printed)).toEqual(tree);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    "*",
    "NOT *",
    'level>=warn node:camera* "connection timeout" NOT retry',
    "a (b OR c) NOT (d e)",
    "level:error OR level:unspecified OR level:18 OR level:[5 TO 18] OR level<=info",
    "latency_ms>=10 latency_ms<50",
    "message:conn* message=x",
    "*nnec* *'Tion' /a\\/b/i",
    '"odd key":x attributes."odd key":x attributes.level:x "level":x',
  ])("%s is printed as it is", (text) => {
    expect(printFilter(parseFilter(text))).toBe(text);
  });

  test("a text inside an attribute, which has no form of its own, becomes a regular expression", () => {
    fc.assert(
      fc.property(textMatch, fc.string({ unit: "grapheme", maxLength: 4 }), (match, around) => {
        fc.pre(match.kind === "literal");
        const text = match.kind === "literal" ? match.text : "";
        const filter: Filter = {
          kind: "field",
          field: { target: "attribute", key: "x" },
          test: { op: "contains", match },
        };
        const read = parseFilter(printFilter(filter));
        for (const value of [text, around + text, text + around, `${around}${text}${around}`]) {
          const record = logRecord({ attributes: { x: value } });
          expect(matchesRecord(inJavaScript(read), record), value).toBe(
            matchesRecord(filter, record),
          );
        }
      }),
    );
  });

  test("the whole message in any case becomes a regular expression", () => {
    const filter: Filter = {
      kind: "field",
      field: { target: "message" },
      test: { op: "equals", text: "a/b (c)", anyCase: true },
    };
    expect(printFilter(filter)).toBe(String.raw`message:/\Aa\/b \(c\)\z/i`);
    expect(() => parseFilter(printFilter(filter))).not.toThrow(AppError);
  });
});

/** RE2's anchors and code points in JavaScript's notation. */
function inJavaScript(filter: Filter): Filter {
  if (filter.kind !== "field" || filter.test.op !== "contains") return filter;
  const { match } = filter.test;
  if (match.kind !== "regex") return filter;
  const source = match.source
    .replaceAll(String.raw`\A`, "^")
    .replaceAll(String.raw`\z`, "$")
    .replaceAll(String.raw`\x{80}-\x{10FFFF}`, String.raw`\u{80}-\u{10FFFF}`);
  return { ...filter, test: { op: "contains", match: { ...match, source } } };
}
