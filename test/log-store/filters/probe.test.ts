import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { AnyValue } from "../../../src/core/any-value.ts";
import type { Filter } from "../../../src/core/filter.ts";
import type { EmbeddedStore } from "../../../src/log-store/embedded-store.ts";
import { InlineScanRunner } from "../../../src/log-store/scan-inline.ts";
import { SegmentReader } from "../../../src/log-store/segment-reader.ts";
import type { LogParts } from "../store-user.ts";
import {
  appendLogs,
  logsRequest,
  messages,
  openStore,
  searchAll,
  temporaryFolder,
  word,
} from "../store-user.ts";

afterEach(() => void vi.restoreAllMocks());

const TRACES = ["0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"] as const;
const ABSENT_TRACE = "00000000000000000000000000000001";

function trace(id: string): Filter {
  return {
    kind: "field",
    field: { target: "trace_id" },
    test: { op: "equals", text: id, anyCase: true },
  };
}

function message(text: string): Filter {
  const match = {
    kind: "literal",
    text,
    anyCase: true,
    startsAtWord: true,
    endsAtWord: true,
  } as const;
  return { kind: "field", field: { target: "message" }, test: { op: "contains", match } };
}

function both(...of: readonly Filter[]): Filter {
  return { kind: "and", of };
}

/** Three sealed segments of three records each. */
async function threeSegments(): Promise<EmbeddedStore> {
  const store = await openStore(temporaryFolder());
  for (const name of ["a", "b", "c"]) {
    await appendLogs(store, [
      { body: `order ${name}10001 taken`, traceId: TRACES[0] },
      { body: `order ${name}10002 taken`, traceId: TRACES[1] },
      { body: "no order", attributes: new Map([["key", `value ${name}10003`]]) },
    ]);
    await store.seal();
  }
  return store;
}

/** The names of the parts of files that a search reads, one for each call. */
async function partsRead(store: EmbeddedStore, filter: Filter): Promise<readonly string[]> {
  // The first search of all opens the files.
  await searchAll(store, { filter: { kind: "none" } });
  const parts = vi.spyOn(SegmentReader.prototype, "readPart");
  const sections = vi.spyOn(SegmentReader.prototype, "readSection");
  await searchAll(store, { filter });
  const calls = [...parts.mock.calls, ...sections.mock.calls];
  vi.restoreAllMocks();
  return calls.map(([section]) => section.name);
}

describe("what is absent", () => {
  test.each([
    { what: "a word", filter: word("absent10001"), section: "words.filter" },
    { what: "a word of the message", filter: message("absent10001"), section: "words.filter" },
    { what: "a trace", filter: trace(ABSENT_TRACE), section: "trace_id.filter" },
  ])("reads one page a segment where it is $what", async ({ filter, section }) => {
    const store = await threeSegments();
    expect(await partsRead(store, filter)).toEqual([section, section, section]);
  });

  test("reads nothing more beside what is there, in an AND", async () => {
    const store = await threeSegments();
    const filter = both(word("order"), word("absent10001"));
    expect(await partsRead(store, filter)).toEqual(Array.from({ length: 3 }, () => "words.filter"));
  });

  test("is not looked for where severities rule a segment out", async () => {
    const store = await threeSegments();
    const filter = both({ kind: "severity", min: 17, max: 24 }, word("absent10001"));
    expect(await partsRead(store, filter)).toEqual([]);
  });

  test("rules nothing out under an OR or a NOT", async () => {
    const store = await threeSegments();
    const absent = word("absent10001");
    const either: Filter = { kind: "or", of: [absent, word("b10001")] };
    expect(await messages(store, { filter: either })).toEqual(["order b10001 taken"]);
    const not: Filter = { kind: "not", of: both(word("order"), absent) };
    expect(await messages(store, { filter: not })).toHaveLength(9);
  });
});

test("a word is found in bodies, attributes, names and values that are kept whole", async () => {
  const store = await openStore(temporaryFolder());
  const twice: AnyValue = [1n, "list10005"];
  await appendLogs(store, [
    { body: "body10001" },
    { body: new Map<string, AnyValue>([["inner", "map10002"]]) },
    { body: "3", attributes: new Map<string, AnyValue>([["key", "attribute10003"]]) },
    { body: "4", eventName: "event10004" },
    { body: twice },
    { body: "6", attributes: new Map([["\u0001odd", "whole10006"]]) },
  ]);
  await store.seal();
  const counts = await Promise.all(
    ["body10001", "map10002", "attribute10003", "event10004", "list10005", "whole10006"].map(
      async (text) => (await messages(store, { filter: word(text) })).length,
    ),
  );
  expect(counts).toEqual([1, 1, 1, 1, 1, 1]);
});

test("a block of too many values that are kept whole has no filter, and is searched", async () => {
  const store = await openStore(temporaryFolder());
  const body = new Map<string, AnyValue>([["key", "many10001"]]);
  await appendLogs(store, [...Array.from({ length: 1025 }, () => ({ body })), { body: "x10002" }]);
  await store.seal();
  expect(await messages(store, { filter: word("many10001") })).toHaveLength(1025);
  expect(await messages(store, { filter: word("x10002") })).toEqual(["x10002"]);
  expect(await partsRead(store, word("absent10001"))).not.toContain("words.filter");
});

test("records are found by their trace, and those without one by none", async () => {
  const store = await threeSegments();
  for (const id of TRACES) {
    const { entries } = await searchAll(store, { filter: trace(id) });
    expect(entries.map((entry) => entry["trace_id"])).toEqual([id, id, id]);
  }
  const exists: Filter = { kind: "field", field: { target: "trace_id" }, test: { op: "exists" } };
  expect((await searchAll(store, { filter: exists })).entries).toHaveLength(6);
  expect((await searchAll(store, { filter: { kind: "not", of: exists } })).entries).toHaveLength(3);
});

test("a search with filters gives what it gives without them, over blocks with filters of their own", async () => {
  const directory = temporaryFolder();
  const store = await openStore(directory);
  // Four blocks of 65,536 rows make filters of blocks.
  for (let request = 0; request < 66; request++) {
    const records = Array.from({ length: 4000 }, (_, index): LogParts => {
      const number = request * 4000 + index;
      const traceId = number % 3 === 0 ? `${Math.floor(number / 9) + 1}`.padStart(32, "7") : "";
      return {
        timeUnixNs: 1_736_282_047_000_000_000n + BigInt(number),
        body: `row${number}`,
        traceId,
      };
    });
    await store.append({ signal: "logs", body: logsRequest(records), principal: `${request}` });
  }
  await store.seal();
  await store.close();
  const [file = ""] = readdirSync(join(directory, "segments"));
  const { footer } = new SegmentReader(join(directory, "segments", file));
  const filtered = footer.blocks.filter(({ sections }) =>
    sections.some(({ name }) => name === "words.filter"),
  );
  expect(filtered.length).toBe(footer.blocks.length);
  const withFilters = await openStore(directory);
  const results = new Map<string, number>();
  const filters = [word("row100000"), word("row263999"), trace("8".padStart(32, "7"))];
  for (const filter of filters) {
    const { entries, end } = await searchAll(withFilters, { filter });
    results.set(JSON.stringify(filter), entries.length);
    expect(end.scannedRows).toBeLessThanOrEqual(2 * 65_536);
  }
  await withFilters.close();
  const without = await openStore(directory, {
    runner: new InlineScanRunner({ useFilters: false }),
  });
  for (const filter of filters) {
    const { entries, end } = await searchAll(without, { filter });
    expect(results.get(JSON.stringify(filter))).toBe(entries.length);
    expect(entries.length).toBeGreaterThan(0);
    expect(end.scannedRows).toBe(264_000);
  }
}, 120_000);

/** A closed store with one segment; where in it the sections of search begin and end. */
async function sealedStore(): Promise<{
  readonly directory: string;
  readonly path: string;
  readonly places: readonly { readonly name: string; readonly from: number; readonly to: number }[];
}> {
  const directory = temporaryFolder();
  const store = await openStore(directory);
  await appendLogs(store, [
    { body: "order 10001", traceId: TRACES[0] },
    { body: "order 10002", traceId: TRACES[1] },
  ]);
  await store.seal();
  await store.close();
  const [file = ""] = readdirSync(join(directory, "segments"));
  const path = join(directory, "segments", file);
  const reader = new SegmentReader(path);
  reader.close();
  const { sections, blocks } = reader.footer;
  const all = [...sections, ...blocks.flatMap((block) => block.sections)];
  const places = all
    .filter(({ name }) => name === "words.filter" || name.startsWith("trace_id."))
    .map(({ name, offset, size }) => ({ name, from: offset, to: offset + size }));
  return { directory, path, places };
}

test("each damaged byte of a filter or of the trace index is noticed, and a filter's costs no answer", async () => {
  const { directory, path, places } = await sealedStore();
  const good = readFileSync(path);
  const manifest = readFileSync(join(directory, "manifest.json"));
  expect(places.map(({ name }) => name).toSorted()).toEqual([
    "trace_id.directory",
    "trace_id.filter",
    "trace_id.pages",
    "words.filter",
  ]);
  for (const { name, from, to } of places) {
    const filter = name === "words.filter" ? word("10001") : trace(TRACES[0]);
    for (let offset = from; offset < to; offset++) {
      const bytes = Buffer.from(good);
      bytes[offset] ^= 0x20;
      writeFileSync(path, bytes);
      writeFileSync(join(directory, "manifest.json"), manifest);
      const store = await openStore(directory);
      const { entries, end } = await searchAll(store, { filter });
      expect(end.status, `${name} at ${offset}`).toBe("partial");
      if (name.endsWith(".filter"))
        expect(entries.map(({ message: text }) => text)).toEqual(["order 10001"]);
      await store.close();
    }
  }
}, 120_000);

const fixture = z.object({
  expected: z.object({ logs: z.array(z.looseObject({ trace_id: z.string().optional() })) }),
});

test("a store of the first format, which has neither filters nor an index, is searched all the same", async () => {
  const source = fileURLToPath(new URL("../../fixtures/store-v1", import.meta.url));
  const directory = temporaryFolder();
  cpSync(source, directory, { recursive: true });
  const text = readFileSync(join(source, "expected.json"), "utf8");
  const { logs } = fixture.parse(JSON.parse(text)).expected;
  const store = await openStore(directory);
  const ids = new Set(
    logs.flatMap(({ trace_id: id }) => (id === undefined || id === "" ? [] : [id])),
  );
  expect(ids.size).toBeGreaterThan(0);
  for (const id of ids) {
    const { entries } = await searchAll(store, { filter: trace(id) });
    expect(entries).toEqual(logs.filter((log) => log.trace_id === id));
  }
  expect((await searchAll(store, { filter: trace(ABSENT_TRACE) })).entries).toEqual([]);
  expect(await messages(store, { filter: word("absent10001") })).toEqual([]);
});
