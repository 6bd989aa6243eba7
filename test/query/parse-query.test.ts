import { describe, expect, test } from "vitest";
import type { FieldRef } from "../../src/core/filter.ts";
import type { GroupKey } from "../../src/log-store/log-store.ts";
import { outputColumns, parseQuery } from "../../src/query/parse-query.ts";
import type { Pipe } from "../../src/query/pipes.ts";
import { expectSyntaxError } from "./syntax-failure.ts";

function by(target: "node" | "level" | "message"): GroupKey {
  return { kind: "field", field: { target }, name: target };
}

function byKey(field: FieldRef, name: string): GroupKey {
  return { kind: "field", field, name };
}

const LATENCY: FieldRef = { target: "any", key: "ms" };

function rejects(query: string, position: number, says: string | RegExp): void {
  expectSyntaxError(() => parseQuery(query), { position, says });
}

describe("pipes", () => {
  test.each<[string, readonly Pipe[]]>([
    ["", []],
    ["| count", [{ kind: "count", by: [] }]],
    ["|count()", [{ kind: "count", by: [] }]],
    ["* | count by node, lvl", [{ kind: "count", by: [by("node"), by("level")] }]],
    [
      "| count by time(90s), attributes.a",
      [
        {
          kind: "count",
          by: [
            { kind: "time", intervalNs: 90_000_000_000n, name: "time" },
            byKey({ target: "attribute", key: "a" }, "attributes.a"),
          ],
        },
      ],
    ],
    [
      '| stats count(), avg(ms), max( ms ) as "worst case" by msg',
      [
        {
          kind: "stats",
          stats: [
            { kind: "count", name: "count" },
            { kind: "avg", field: LATENCY, name: "avg_ms" },
            { kind: "max", field: LATENCY, name: "worst case" },
          ],
          by: [by("message")],
        },
      ],
    ],
    ["| top node", [{ kind: "top", count: 10, by: [by("node")] }]],
    ["| top 3 node, level", [{ kind: "top", count: 3, by: [by("node"), by("level")] }]],
    [
      "| fields time, msg, code",
      [
        {
          kind: "fields",
          columns: [
            { from: "entry", name: "timestamp" },
            { from: "field", field: { target: "message" } },
            { from: "entry", name: "code" },
          ],
        },
      ],
    ],
    [
      "| sort level desc, ms asc | limit 5",
      [
        {
          kind: "sort",
          keys: [
            { column: { from: "field", field: { target: "level" } }, isDescending: true },
            { column: { from: "entry", name: "ms" }, isDescending: false },
          ],
        },
        { kind: "limit", count: 5 },
      ],
    ],
    [
      "| count by msg | sort by count desc, message | fields msg",
      [
        { kind: "count", by: [by("message")] },
        {
          kind: "sort",
          keys: [
            { column: { from: "row", name: "count" }, isDescending: true },
            { column: { from: "row", name: "message" }, isDescending: false },
          ],
        },
        { kind: "fields", columns: [{ from: "row", name: "message" }] },
      ],
    ],
  ])("%s", (query, pipes) => {
    expect(parseQuery(query).pipes).toEqual(pipes);
  });

  test.each<[string, number, string | RegExp]>([
    ["a |", 3, "a pipe is missing here"],
    ["a || b", 3, "write OR"],
    ["| cuont", 2, 'did you mean "count"?'],
    ["| where x", 2, "use count, fields, limit, sort, stats, top"],
    ["| count node", 8, "count by FIELD"],
    ["| count by", 10, "a field to group by is missing"],
    ["| count by time", 15, "time(1m)"],
    ["| count by time(0s)", 15, "time(1m)"],
    ["| count by time(1 parsec)", 15, "time(1m)"],
    ["| count by level, lvl", 18, 'two columns would be named "level"'],
    ["| count by count", 7, 'two columns would be named "count"'],
    ["| count by seq", 11, "seq cannot be searched"],
    ["| stats", 7, "a function is missing"],
    ["| stats cuont()", 8, 'did you mean "count"?'],
    ["| stats count(x)", 14, '")" is missing'],
    ["| stats sum()", 12, "sum needs a field"],
    ["| stats sum(ms), sum(ms)", 17, 'two columns would be named "sum_ms"'],
    ["| stats count() as", 18, 'a name is missing after "as"'],
    ["| top", 5, "a field to group by is missing"],
    ["| top 0 node", 6, "at least 1"],
    ["| limit", 7, "limit needs a number"],
    ["| limit -1", 8, "not -1"],
    ["| limit 1.5", 8, "not 1.5"],
    ["| limit 99999999999999999999", 8, "whole number"],
    ["| fields", 8, "the name of a field is missing"],
    ["| fields node, node", 15, 'two columns would be named "node"'],
    ["| fields node | sort level", 21, "they give node"],
    ["| count by node | sort cuont", 23, 'did you mean "count"?'],
    ["| limit 5 | count", 12, "right behind the filter"],
    ["| count | top node", 10, "right behind the filter"],
    ["| sort node | stats count()", 14, "right behind the filter"],
    ["| limit 5 (", 10, "does not go on like this"],
  ])("%s is refused", rejects);
});

describe("output columns", () => {
  test.each<[string, readonly string[] | undefined]>([
    ["a | sort node | limit 5", undefined],
    ["| count by node, time(1m)", ["node", "time", "count"]],
    ["| stats avg(ms) as mean by node | limit 2", ["node", "mean"]],
    ["| top event", ["event_name", "count"]],
    ['| fields time, attributes."a b"', ["timestamp", "attributes.a b"]],
  ])("%s", (query, columns) => {
    expect(outputColumns(parseQuery(query))).toEqual(columns);
  });
});
