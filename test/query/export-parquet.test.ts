import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ENTRY_KEYS } from "../../src/core/entry.ts";
import type { Signal } from "../../src/core/record.ts";
import { exportParquet } from "../../src/query/export-parquet.ts";
import type { Row } from "../../src/query/row.ts";
import { printRows } from "../../src/query/row.ts";
import type { ParquetRow } from "../read-parquet.ts";
import { readParquet } from "../read-parquet.ts";

const directory = mkdtempSync(join(tmpdir(), "dora-parquet-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** More than one group holds. */
const MANY_COUNT = 70_000;

const LOG: Row = {
  timestamp: "2025-01-07T20:34:07.298518123Z",
  level: "ERROR",
  node: "Node B",
  message: 'größer als "erwartet" 😀\n\u0000end',
  trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
  span_id: "00f067aa0ba902b7",
  dataflow: "flow",
  logger: "driver",
  event_name: "late",
  severity_number: 17,
  severity_text: "ERROR",
  observed_timestamp: "2025-01-07T20:34:07.300000Z",
  trace_flags: 1,
  seq: 9_007_199_254_740_991,
  attributes: { "peer.name": { list: [1, "ü"] }, ms: -0.5, big: "9223372036854775807" },
  resource: { "service.name": "detector" },
  body: { a: [1] },
};
/** With nothing in it that an entry may lack. */
const BARE_LOG: Row = {
  ...Object.fromEntries(Object.entries(LOG).filter(([key]) => key !== "body")),
  message: "",
  trace_id: "",
  span_id: "",
  event_name: "",
  seq: 0,
  attributes: {},
};
const SPAN: Row = {
  timestamp: "2025-01-07T20:34:07.000000001Z",
  duration_ns: 1_000_000_002,
  node: "camera",
  name: "detect",
  kind: "internal",
  status: "error",
  status_message: "timed out",
  trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
  span_id: "00f067aa0ba902b7",
  parent_span_id: "",
  dataflow: "flow",
  seq: 1,
  attributes: {},
  events: [{ timestamp: "2025-01-07T20:34:07.5Z", name: "retry", attributes: { n: 1 } }],
  links: [],
  resource: {},
};
const POINT: Row = {
  timestamp: "2025-01-07T20:34:07.000000Z",
  node: "camera",
  name: "frames",
  unit: "1",
  kind: "histogram",
  temporality: "delta",
  is_monotonic: true,
  value: null,
  count: 12,
  sum: -0.25,
  dataflow: "",
  seq: 3,
  attributes: { camera: "front" },
  resource: {},
};

async function* chunksOf(rows: readonly Row[], size: number): AsyncGenerator<Uint8Array, void> {
  for (let start = 0; start < rows.length; start += size) {
    yield printRows(rows.slice(start, start + size));
  }
}

let fileCount = 0;

/** Exports rows to a file, and gives its path. */
async function exported(table: Signal, rows: readonly Row[], chunkRows = 1000): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of exportParquet(chunksOf(rows, chunkRows), table)) parts.push(part);
  const path = join(directory, `${table}-${fileCount++}.parquet`);
  writeFileSync(path, Buffer.concat(parts));
  return path;
}

/** The columns with their types, in order. */
async function columnsOf(path: string): Promise<readonly unknown[]> {
  const sql = `select column_name || ' ' || column_type as "column" from (describe select * from file)`;
  return (await readParquet(path, sql)).map(({ column }) => column);
}

/** Rows of each group of the file. */
async function groupsOf(path: string): Promise<readonly number[]> {
  const sql = `select distinct row_group_id, row_group_num_rows as rows from parquet_metadata('${path}') order by all`;
  return (await readParquet(path, sql)).map(({ rows }) => Number(rows));
}

function manyLogs(count: number): readonly Row[] {
  return Array.from({ length: count }, (_, index) => ({
    ...BARE_LOG,
    timestamp: `2025-01-07T20:34:${String(Math.floor(index / 2000)).padStart(2, "0")}.${String(index % 2000).padStart(9, "0")}Z`,
    node: `node-${index % 3}`,
    message: `frame ${index}`,
    seq: index,
  }));
}

describe("DuckDB reads", () => {
  test("a log record as it was, to the nanosecond", async () => {
    const path = await exported("logs", [LOG]);
    const [row] = await readParquet(path, "select * from file");
    expect(row).toEqual({
      ...LOG,
      timestamp: "2025-01-07 20:34:07.298518+00",
      observed_timestamp: "2025-01-07 20:34:07.3+00",
      message: LOG["message"],
      seq: "9007199254740991",
      attributes: JSON.stringify(LOG["attributes"]),
      resource: JSON.stringify(LOG["resource"]),
      body: JSON.stringify(LOG["body"]),
      time_unix_ns: "1736282047298518123",
    });
  });

  test("null for ids and bodies that are not there, and other empty texts as they are", async () => {
    const path = await exported("logs", [BARE_LOG, LOG]);
    const sql = "select * from file where trace_id is null";
    const [row, ...others] = await readParquet(path, sql);
    expect(others).toEqual([]);
    expect(row).toMatchObject({ trace_id: null, span_id: null, body: null });
    expect(row).toMatchObject({ message: "", event_name: "", attributes: "{}", seq: "0" });
  });

  test("attributes by name, nested ones too", async () => {
    const path = await exported("logs", [LOG]);
    const sql = `select attributes->>'ms' as ms, attributes->'peer.name'->'list'->>1 as nested,
      resource->>'service.name' as service, attributes->>'big' as big from file`;
    expect(await readParquet(path, sql)).toEqual([
      { ms: "-0.5", nested: "ü", service: "detector", big: "9223372036854775807" },
    ]);
  });

  test("a span with its start and its end", async () => {
    const path = await exported("traces", [SPAN]);
    const sql = `select *, time_unix_ns + duration_ns as end_unix_ns from file`;
    expect(await readParquet(path, sql)).toEqual([
      {
        ...SPAN,
        timestamp: "2025-01-07 20:34:07+00",
        end_timestamp: "2025-01-07 20:34:08+00",
        duration_ns: "1000000002",
        parent_span_id: null,
        seq: "1",
        attributes: "{}",
        events: JSON.stringify(SPAN["events"]),
        links: "[]",
        resource: "{}",
        time_unix_ns: "1736282047000000001",
        end_unix_ns: "1736282048000000003",
      },
    ]);
  });

  test("a data point, with numbers as numbers", async () => {
    const gauge = { ...POINT, kind: "gauge", value: 0.1, count: null, sum: null, seq: 4 };
    const path = await exported("metrics", [POINT, gauge]);
    const sql = "select kind, is_monotonic, value, count, sum from file order by seq";
    expect(await readParquet(path, sql)).toEqual([
      { kind: "histogram", is_monotonic: true, value: null, count: "12", sum: -0.25 },
      { kind: "gauge", is_monotonic: true, value: 0.1, count: null, sum: null },
    ]);
  });

  test.each([
    [
      "logs",
      "timestamp TIMESTAMP WITH TIME ZONE, level VARCHAR, node VARCHAR, message VARCHAR, trace_id VARCHAR, span_id VARCHAR, dataflow VARCHAR, logger VARCHAR, event_name VARCHAR, severity_number INTEGER, severity_text VARCHAR, observed_timestamp TIMESTAMP WITH TIME ZONE, trace_flags INTEGER, seq BIGINT, attributes VARCHAR, resource VARCHAR, body VARCHAR, time_unix_ns BIGINT",
    ],
    [
      "traces",
      "timestamp TIMESTAMP WITH TIME ZONE, end_timestamp TIMESTAMP WITH TIME ZONE, duration_ns BIGINT, node VARCHAR, name VARCHAR, kind VARCHAR, status VARCHAR, status_message VARCHAR, trace_id VARCHAR, span_id VARCHAR, parent_span_id VARCHAR, dataflow VARCHAR, seq BIGINT, attributes VARCHAR, events VARCHAR, links VARCHAR, resource VARCHAR, time_unix_ns BIGINT",
    ],
    [
      "metrics",
      "timestamp TIMESTAMP WITH TIME ZONE, node VARCHAR, name VARCHAR, unit VARCHAR, kind VARCHAR, temporality VARCHAR, is_monotonic BOOLEAN, value DOUBLE, count BIGINT, sum DOUBLE, dataflow VARCHAR, seq BIGINT, attributes VARCHAR, resource VARCHAR, time_unix_ns BIGINT",
    ],
  ] as const)("no %s as a table with all its columns", async (table, columns) => {
    const path = await exported(table, []);
    expect((await columnsOf(path)).join(", ")).toBe(columns);
    expect(await readParquet(path, "select * from file")).toEqual([]);
    const names = columns.split(", ").map((column) => column.split(" ")[0]);
    expect(names.filter((name) => ENTRY_KEYS[table].includes(name ?? ""))).toEqual(
      ENTRY_KEYS[table],
    );
  });
});

describe("rows", () => {
  test("come in groups, each row once, found by time, node and number in any of them", async () => {
    const path = await exported("logs", manyLogs(MANY_COUNT), 999);
    expect(await groupsOf(path)).toEqual([65_536, MANY_COUNT - 65_536]);
    const count = async (where: string): Promise<ParquetRow["count"]> =>
      (await readParquet(path, `select count(*) as count from file where ${where}`))[0]?.["count"];
    expect(await count("true")).toBe(String(MANY_COUNT));
    expect(await count("message = 'frame ' || seq and seq between 0 and 69999")).toBe("70000");
    expect(await count("timestamp >= '2025-01-07 20:34:34+00'")).toBe("2000");
    expect(await count("time_unix_ns < 1736282040000000002")).toBe("2");
    expect(await count("node = 'node-2'")).toBe(String(Math.floor(MANY_COUNT / 3)));
    expect(await count("seq = 69999")).toBe("1");
  });

  test("that are large come in smaller groups", async () => {
    const message = "x".repeat(1024 * 1024);
    const rows = Array.from({ length: 150 }, (_, index) => ({ ...LOG, message, seq: index }));
    const path = await exported("logs", rows, 2);
    expect(await groupsOf(path)).toEqual([64, 64, 22]);
    const sql = "select sum(seq) as seqs, min(length(message)) as least from file";
    expect(await readParquet(path, sql)).toEqual([{ seqs: "11175", least: "1048576" }]);
  });

  test("of the times and numbers that the columns cannot hold have null", async () => {
    const late = { ...LOG, timestamp: "2262-04-11T23:47:16.854775808Z", severity_number: 1.5 };
    const last = { ...LOG, timestamp: "2262-04-11T23:47:16.854775807Z", trace_flags: 2 ** 31 };
    const path = await exported("logs", [late, last]);
    const sql = "select timestamp is null as none, time_unix_ns, severity_number, trace_flags";
    expect(await readParquet(path, `${sql} from file`)).toEqual([
      { none: true, time_unix_ns: null, severity_number: null, trace_flags: 1 },
      { none: false, time_unix_ns: "9223372036854775807", severity_number: 17, trace_flags: null },
    ]);
    const long = { ...SPAN, duration_ns: 1e19, timestamp: "2025-01-07T20:34:07Z" };
    const past = { ...SPAN, duration_ns: 9e18 };
    const spans = await exported("traces", [long, past]);
    expect(await readParquet(spans, "select duration_ns, end_timestamp from file")).toEqual([
      { duration_ns: null, end_timestamp: null },
      { duration_ns: "9000000000000000000", end_timestamp: null },
    ]);
  });

  test("of another version of dora, with keys less and more, have null for what is not there", async () => {
    const path = await exported("logs", [{ timestamp: LOG["timestamp"] ?? null, colour: "red" }]);
    const [row] = await readParquet(path, "select * from file");
    const present = Object.entries(row ?? {}).filter(([, value]) => value !== null);
    expect(present.map(([name]) => name)).toEqual(["timestamp", "time_unix_ns"]);
  });
});

describe("a file that is not whole", () => {
  test("has no end: a failure of the source comes before it", async () => {
    const failing = async function* (): AsyncGenerator<Uint8Array, void> {
      yield* chunksOf(manyLogs(MANY_COUNT), 1000);
      throw new Error("store failed");
    };
    const parts: Uint8Array[] = [];
    const read = async (): Promise<void> => {
      for await (const part of exportParquet(failing(), "logs")) parts.push(part);
    };
    await expect(read()).rejects.toThrow("store failed");
    const path = join(directory, "cut.parquet");
    writeFileSync(path, Buffer.concat(parts));
    expect(parts).toHaveLength(1);
    await expect(readParquet(path, "select * from file")).rejects.toThrow(/magic bytes/);
  });
});
