import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import type { Json } from "../../src/core/any-value.ts";
import { LOG_ENTRY_KEYS } from "../../src/core/entry.ts";
import type { ExportFormat, ExportOptions } from "../../src/query/export.ts";
import { EXPORT_FORMATS, exportEntries } from "../../src/query/export.ts";
import type { Row } from "../../src/query/row.ts";
import { printRows } from "../../src/query/row.ts";

async function* chunksOf(rows: readonly Row[], size: number): AsyncGenerator<Uint8Array, void> {
  for (let start = 0; start < rows.length; start += size) {
    yield printRows(rows.slice(start, start + size));
  }
}

async function exported(
  format: ExportFormat,
  rows: readonly Row[],
  options: ExportOptions = {},
): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of exportEntries(format, chunksOf(rows, 2), options)) parts.push(part);
  return Buffer.concat(parts).toString();
}

/**
 * Reads RFC 4180 to the letter: rows end with CRLF, cells with commas outside of quotes. The parser
 * of fast-csv will not do, since it drops a first cell that is white space alone.
 */
async function readCsv(text: string): Promise<readonly (readonly string[])[]> {
  const rows: string[][] = [];
  const cell = /(?:"((?:[^"]|"")*)"|((?:(?!\r\n)[^,"])*))(,|\r\n)/uy;
  let row: string[] = [];
  while (cell.lastIndex < text.length) {
    const start = cell.lastIndex;
    const match = cell.exec(text);
    if (match === null) throw new Error(`this is no CSV from offset ${start}`);
    const [, quoted, plain = "", end] = match;
    row.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

const ENTRY: Row = {
  timestamp: "2025-01-07T20:34:07.298518Z",
  level: "ERROR",
  node: "Node B",
  message: 'Connection "timeout",\nretry',
  trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
  span_id: "",
  dataflow: "flow",
  logger: "",
  event_name: "",
  severity_number: 17,
  severity_text: "ERROR",
  observed_timestamp: "2025-01-07T20:34:07.298518Z",
  trace_flags: 1,
  seq: 7,
  attributes: { ms: -5, path: ["a", "b"] },
  resource: { "service.name": "detector" },
};
/** With the optional key that only some entries have. */
const ENTRY_WITH_BODY: Row = { ...ENTRY, seq: 8, message: '{"a":1}', body: { a: 1 } };

/** Texts that one format or another could take for something else. */
const TRICKY = [
  ..."no y on null ~ 1e3 0x1F 0o17 1_000 1:30 = << 2025-01-07 .nan *a &a !a %a @a `a |".split(" "),
  ..."[a] {a} 'a' \"a\" a\\b ż 日本 😀 --- ... __proto__".split(" "),
  ..."\u0000\u001b\u0085\u2028\u2029\ufeff\u007f\u009f\t".split("").map((control) => `${control}a`),
  "",
  " x ",
  "- a",
  "? b",
  "a: b",
  "a #b",
  "a\nb",
  "a\r\nb",
];

const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Json>(null, true, false, -5, 0, 1e21, 0.1, Number.MAX_SAFE_INTEGER),
    fc.constantFrom(...TRICKY),
    fc.string({ unit: "binary" }),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...TRICKY), fc.string()), tie("value"), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  ),
})).value;
const rowsArbitrary = fc.array(
  fc.dictionary(fc.oneof(fc.constantFrom(...TRICKY), fc.string()), json, {
    maxKeys: 4,
    noNullPrototype: true,
  }),
  { maxLength: 5 },
);

describe("every format", () => {
  test.each(EXPORT_FORMATS)("%s of nothing is a whole document", async (format) => {
    const empty = { json: "[]\n", jsonl: "", csv: "", yaml: "[]\n" };
    expect(await exported(format, [])).toBe(empty[format]);
  });

  test.each(EXPORT_FORMATS)("%s passes on a failure of its source", async (format) => {
    const failing = async function* (): AsyncGenerator<Uint8Array, void> {
      yield printRows([ENTRY]);
      throw new Error("store failed");
    };
    const read = async (): Promise<void> => {
      for await (const part of exportEntries(format, failing()))
        expect(part.length).toBeGreaterThan(0);
    };
    await expect(read()).rejects.toThrow("store failed");
  });

  test.each(EXPORT_FORMATS)("%s lets go of its source when the reader leaves", async (format) => {
    const { promise: closed, resolve: onClosed } = Promise.withResolvers<void>();
    const endless = async function* (): AsyncGenerator<Uint8Array, void> {
      try {
        for (;;) yield printRows([ENTRY, ENTRY]);
      } finally {
        onClosed();
      }
    };
    for await (const part of exportEntries(format, endless())) {
      if (part.length > 0) break;
    }
    await closed;
  });

  test.each(EXPORT_FORMATS)("%s takes its source no faster than it is read", async (format) => {
    let taken = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array, void> {
      for (; taken < 1000; taken++) yield printRows(Array.from({ length: 100 }, () => ENTRY));
    };
    const parts = exportEntries(format, counted())[Symbol.asyncIterator]();
    await parts.next();
    await new Promise((resolve) => setImmediate(resolve));
    // 100,000 entries are some 50 MB; what is held is a few chunks of them.
    expect(taken).toBeLessThan(50);
    await parts.return?.();
  });
});

describe("JSON", () => {
  test("an array, one entry a line, and the same entries as JSON Lines", async () => {
    const text = await exported("json", [ENTRY, ENTRY_WITH_BODY, ENTRY]);
    expect(JSON.parse(text)).toEqual([ENTRY, ENTRY_WITH_BODY, ENTRY]);
    expect(text.split("\n")).toHaveLength(6);
    expect(text).toBe(
      `[\n${JSON.stringify(ENTRY)},\n${JSON.stringify(ENTRY_WITH_BODY)},\n${JSON.stringify(ENTRY)}\n]\n`,
    );
    expect(await exported("jsonl", [ENTRY, ENTRY_WITH_BODY])).toBe(
      `${JSON.stringify(ENTRY)}\n${JSON.stringify(ENTRY_WITH_BODY)}\n`,
    );
  });

  test("any rows come back from the array", async () => {
    await fc.assert(
      fc.asyncProperty(rowsArbitrary, async (rows) => {
        expect(JSON.parse(await exported("json", rows))).toEqual(rows);
      }),
    );
  });
});

describe("YAML", () => {
  test("a sequence with an item an entry, texts quoted, keys where they must be (SEC-012)", async () => {
    expect(await exported("yaml", [{ node: "no", ms: -5, n: null, list: ["1e3"] }])).toBe(
      '- node: "no"\n  ms: -5\n  "n": null\n  list:\n    - "1e3"\n',
    );
  });

  test("any rows come back from it, read as YAML 1.2 and 1.1 (SEC-012)", async () => {
    await fc.assert(
      fc.asyncProperty(rowsArbitrary, async (rows) => {
        const text = await exported("yaml", rows);
        expect(parseYaml(text)).toEqual(rows);
        expect(parseYaml(text, { version: "1.1", merge: true })).toEqual(rows);
      }),
    );
  });

  test("it holds no character that YAML readers refuse or take for a line break", async () => {
    const text = await exported("yaml", [Object.fromEntries(TRICKY.map((key) => [key, key]))]);
    expect(text).not.toMatch(/[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/);
    expect(text).not.toMatch(/^\s*[&*]/m);
  });
});

describe("CSV", () => {
  test("the columns of log entries are fixed, lists and objects are JSON in a cell", async () => {
    const rows = await readCsv(await exported("csv", [ENTRY_WITH_BODY, ENTRY]));
    expect(rows).toHaveLength(3);
    expect(rows[0]).toEqual(LOG_ENTRY_KEYS);
    expect(rows[2]).toEqual([
      "2025-01-07T20:34:07.298518Z",
      "ERROR",
      "Node B",
      'Connection "timeout",\nretry',
      "4bf92f3577b34da6a3ce929d0e0e4736",
      "",
      "flow",
      "",
      "",
      "17",
      "ERROR",
      "2025-01-07T20:34:07.298518Z",
      "1",
      "7",
      '{"ms":-5,"path":["a","b"]}',
      '{"service.name":"detector"}',
    ]);
  });

  test("other rows have the first one's keys, or those that are given, even without rows", async () => {
    const rows: readonly Row[] = [{ node: "a", count: 2 }, { count: 1 }];
    expect(await exported("csv", rows)).toBe("node,count\r\na,2\r\n,1\r\n");
    expect(await exported("csv", rows, { columns: ["count", "x"] })).toBe(
      "count,x\r\n2,\r\n1,\r\n",
    );
    expect(await exported("csv", [], { columns: ["count", "x"] })).toBe("count,x\r\n");
  });

  test("cells are quoted as RFC 4180 says", async () => {
    const text = await exported("csv", [
      { a: 'say "x"', b: "x,y", c: "x\ny", d: "x\ry", e: " x " },
    ]);
    expect(text).toBe('a,b,c,d,e\r\n"say ""x""","x,y","x\ny","x\ry", x \r\n');
  });

  test.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\u0000=1"])(
    "a text that starts like %j is no formula in a spreadsheet (SEC-011)",
    async (cell) => {
      const [header, row] = await readCsv(await exported("csv", [{ [cell]: cell }]));
      expect(header?.[0]).toMatch(/^'/);
      expect(row?.[0]).toMatch(/^'/);
    },
  );

  test("numbers, harmless texts and raw cells stay as they are (SEC-011)", async () => {
    const row: Row = { n: -5, s: "a=1", t: "'x" };
    expect(await exported("csv", [row])).toBe("n,s,t\r\n-5,a=1,'x\r\n");
    expect(await exported("csv", [{ a: "=1", b: "-5" }], { raw: true })).toBe("a,b\r\n=1,-5\r\n");
    expect(await exported("csv", [{ a: ["=1"], b: { "=1": 1 } }])).toBe(
      'a,b\r\n"[""=1""]","{""=1"":1}"\r\n',
    );
  });

  test("any texts come back, read raw, but for NUL", async () => {
    const texts = fc.array(
      fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", "")),
      {
        minLength: 2,
        maxLength: 2,
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(texts, { maxLength: 4 }), async (cells) => {
        const rows = cells.map(([a, b]): Row => ({ a: a ?? "", b: b ?? "" }));
        const read = await readCsv(await exported("csv", rows, { raw: true, columns: ["a", "b"] }));
        expect(read).toEqual([["a", "b"], ...cells]);
      }),
      { examples: [[[["\t", ""]]]] },
    );
  });
});
