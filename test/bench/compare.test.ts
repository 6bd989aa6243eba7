import { describe, expect, test } from "vitest";
import { toSvg } from "../../bench/compare/chart.ts";
import { clickHouseForms } from "../../bench/compare/clickhouse-sql.ts";
import type { Contestant, Usage } from "../../bench/compare/contestant.ts";
import { elasticsearchForms } from "../../bench/compare/elasticsearch-query.ts";
import { measureQuestion, type QuestionResult } from "../../bench/compare/measure.ts";
import { type Comparison, toMarkdown } from "../../bench/compare/report.ts";
import { makeQueryClasses, type QueryClass } from "../../bench/query-classes.ts";

const QUESTION: QueryClass = {
  name: "word",
  ours: { route: "count", query: "message:reset" },
  sql: "",
  compare: "count",
};

function count(query: string): QueryClass {
  return { ...QUESTION, ours: { route: "count", query } };
}

describe("questions for ClickHouse", () => {
  test("every question of the benchmark can be asked", () => {
    const needles = {
      traceId: "ab".repeat(16),
      block: "blk_1234567890",
      digits: "345678",
      order: "1234567",
      request: "0a1b2c3d-4e5f",
    };
    const unasked = makeQueryClasses(needles).filter((it) => clickHouseForms(it).length === 0);
    expect(unasked).toEqual([]);
  });

  test("a word is asked of the index alone first, then with our word boundaries", () => {
    expect(clickHouseForms(count("message:Reset"))).toEqual([
      "SELECT count() AS n FROM logs WHERE hasToken(lower(body), 'reset')",
      "SELECT count() AS n FROM logs WHERE (hasAllTokens(lower(body), ['reset']) AND " +
        String.raw`(position(lower(body), 'reset') > 0 AND match(body, '(?i)\\bReset\\b')))`,
    ]);
  });

  test.each([
    { query: "message:'reset by peer'", words: "['reset', 'by', 'peer']" },
    { query: "message:*'eset by pee'*", words: "['by']" },
    { query: "message:*'eset by peer'", words: "['by', 'peer']" },
    { query: "message:blk_12", words: "['blk', '12']" },
  ])("the index narrows $query down by $words: words that a hit has whole", ({ query, words }) => {
    expect(clickHouseForms(count(query))[0]).toContain(`hasAllTokens(lower(body), ${words})`);
  });

  test("no word narrows down a text that may begin and end inside words", () => {
    expect(clickHouseForms(count("message:*'nnection re'*"))).toEqual([
      "SELECT count() AS n FROM logs WHERE position(body, 'nnection re') > 0",
    ]);
  });

  test("quotes and backslashes of a text stay in their string", () => {
    expect(clickHouseForms(count(String.raw`message:*"it's \\ "*`))[0]).toContain(
      String.raw`position(lower(body), 'it\'s \\ ')`,
    );
  });

  test("what the table has no column for cannot be asked", () => {
    expect(clickHouseForms(count("latency_ms>50"))).toEqual([]);
    expect(clickHouseForms(count("message:a OR latency_ms>50"))).toEqual([]);
  });
});

describe("questions for Elasticsearch", () => {
  test("an infix is looked for in the whole messages, its wildcards escaped", () => {
    expect(elasticsearchForms(count("message:*'a*b'*"))).toEqual([
      String.raw`{"query":{"wildcard":{"body.raw":{"value":"*a\\*b*","case_insensitive":false}}},"size":0,"track_total_hits":true}`,
    ]);
  });

  test("free text cannot be asked, as attributes are not split into words", () => {
    expect(elasticsearchForms(count("reset"))).toEqual([]);
  });
});

describe("measuring", () => {
  test("the first way to ask that gives the first contestant's answer is measured", async () => {
    const asked: string[] = [];
    const ours = contestant("ours", { right: ["7"] }, asked);
    const peer = contestant("peer", { wrong: ["8"], right: ["7"], later: ["7"] }, asked);
    const result = await measureQuestion(QUESTION, [ours, peer], 2);
    expect(result.answer).toBe("7");
    expect(result.outcomes["peer"]).toMatchObject({ status: "measured", form: "right" });
    expect(asked).toEqual(["ours right", "peer right", "peer right", "ours right"]);
  });

  test("a contestant that answers otherwise, or cannot ask, is named and not measured", async () => {
    const asked: string[] = [];
    const ours = contestant("ours", { right: ["1", "2"] }, asked);
    const short = contestant("short", { one: ["1"] }, asked);
    const longer = contestant("longer", { one: ["1", "2", "3"] }, asked);
    const mute = contestant("mute", {}, asked);
    const { outcomes } = await measureQuestion(QUESTION, [ours, short, longer, mute], 1);
    expect(outcomes["short"]).toEqual({
      status: "differs",
      difference: "1 rows for 2, row 1: undefined for 2",
    });
    expect(outcomes["longer"]?.status).toBe("differs");
    expect(outcomes["mute"]).toEqual({ status: "cannot ask" });
    expect(asked).toEqual(["ours right"]);
  });
});

describe("the report", () => {
  test("a peer that is faster is in bold, and counted", () => {
    const text = toMarkdown(comparison([question(20, 10)]));
    expect(text).toContain("| word <&> | 7 | 19 / 20 / 5.0 | **9.0 / 10 / 5.0** |");
    expect(text).toContain("Fastest of 1 questions, by the median: ours 0, peer 1.");
  });

  test("a peer that answers otherwise is told with the difference", () => {
    const differing: QuestionResult = {
      ...question(20, 10),
      outcomes: { peer: { status: "differs", difference: "8 for 7" } },
    };
    expect(toMarkdown(comparison([differing]))).toContain(
      '- peer answers "word <&>" differently: 8 for 7',
    );
  });

  test("the picture grows with the logarithm, and its texts are escaped", () => {
    const svg = toSvg(comparison([question(1, 10), question(10, 100)]));
    const widths = [...svg.matchAll(/<rect x="270" y="\d+" width="([\d.]+)"/g)].map(([, width]) =>
      Number(width),
    );
    // From 1 ms to 100 ms: two decades of 310 each; a bar of none is still seen.
    expect(widths).toEqual([1, 310, 310, 620]);
    expect(svg).toContain(">word &lt;&amp;&gt;</text>");
  });
});

function contestant(
  name: string,
  answers: { readonly [form: string]: readonly string[] },
  asked: string[],
): Contestant {
  return {
    name,
    pid: process.pid,
    version: "",
    route: "",
    load: async () => [],
    formsOf: () => Object.keys(answers),
    ask: async (_question, form): Promise<Usage> => {
      asked.push(`${name} ${form}`);
      return { wallMs: 1, cpuMs: 1 };
    },
    answer: async (_question, form) => answers[form] ?? [],
    diskBytes: async () => 0,
    close: async () => {},
  };
}

function question(oursMs: number, peerMs: number): QuestionResult {
  const measured = (medianMs: number): QuestionResult["outcomes"][string] => ({
    status: "measured",
    form: "",
    timing: { minMs: medianMs - 1, medianMs, cpuMs: 5 },
  });
  return {
    name: "word <&>",
    answer: "7",
    outcomes: { ours: measured(oursMs), peer: measured(peerMs) },
  };
}

function comparison(questions: readonly QuestionResult[]): Comparison {
  const figures = {
    version: "1",
    route: "embedded",
    loads: [],
    peakLoadingBytes: 0,
    peakAnsweringBytes: 0,
    diskBytes: 0,
  };
  return {
    machine: "a machine",
    loadBefore: 0,
    recordCount: 1000,
    runCount: 1,
    contestants: [
      { name: "ours", ...figures },
      { name: "peer", ...figures },
    ],
    questions,
    skipped: [],
  };
}
