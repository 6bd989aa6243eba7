import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ID_BYTES } from "../../../src/log-store/filters/trace-groups.ts";
import {
  encodeTraceIndex,
  idsOfPages,
  isTracePageWhole,
  pageOf,
  rowsInPage,
} from "../../../src/log-store/filters/trace-index.ts";

function encoded(rows: readonly (string | undefined)[]): {
  readonly ids: Uint8Array;
  readonly directory: Uint8Array;
  readonly pages: Uint8Array;
  readonly sizes: readonly number[];
  readonly told: readonly string[];
} {
  const ids = new Uint8Array(rows.length * ID_BYTES);
  for (const [row, id] of rows.entries()) {
    if (id !== undefined) ids.set(Buffer.from(id, "hex"), row * ID_BYTES);
  }
  const told: string[] = [];
  const { directory, pages } = encodeTraceIndex(ids, (start) => {
    told.push(Buffer.from(ids.subarray(start, start + ID_BYTES)).toString("hex"));
  });
  const sizes = pages.map(({ length }) => length);
  return { ids, directory, pages: Buffer.concat(pages), sizes, told };
}

function rowsOf(index: ReturnType<typeof encoded>, id: string): readonly number[] {
  const wanted = Buffer.from(id, "hex");
  const place = pageOf(index.directory, wanted);
  if (place === undefined) return [];
  const page = index.pages.subarray(place.offset, place.offset + place.size);
  expect(isTracePageWhole(page)).toBe(true);
  return rowsInPage(page, wanted);
}

/** Ids of which many begin alike, as those do that begin with the time. */
const id = fc
  .tuple(fc.constantFrom("00000000", "5f9e1a2b", "ffffffff"), fc.nat(300), fc.nat(1))
  .map(([prefix, middle, last]) => `${prefix}${middle.toString(16).padStart(23, "0")}${last}`)
  .filter((text) => !/^0+$/.test(text));

test("every row has its id again, and every id its rows, whichever way they are asked for", () => {
  const rows = fc.array(fc.option(id, { nil: undefined }), { minLength: 1, maxLength: 1200 });
  fc.assert(
    fc.property(rows, id, (block, other) => {
      const index = encoded(block);
      expect(idsOfPages(index.directory, index.pages, block.length)).toEqual(index.ids);
      const present = [...new Set(block)].filter((one) => one !== undefined);
      expect(index.told).toEqual(present.toSorted());
      for (const one of [...present.slice(0, 20), other]) {
        const expected = block.flatMap((rowId, row) => (rowId === one ? [row] : []));
        expect(rowsOf(index, one)).toEqual(expected);
      }
    }),
    { numRuns: 60 },
  );
});

test("a page is at most 4 KB, but for one id with more rows than that holds", () => {
  const many = Array.from({ length: 65_536 }, (_, row) => `${row % 5000}`.padStart(32, "1"));
  expect(Math.max(...encoded(many).sizes)).toBeLessThanOrEqual(4096);
  const one = encoded(Array.from({ length: 65_536 }, () => "ab".repeat(16)));
  expect(one.sizes).toEqual([4 + 16 + 65_536 + 4]);
  expect(rowsOf(one, "ab".repeat(16))).toHaveLength(65_536);
});

test("a block without a trace id has an index without a byte", () => {
  const index = encoded([undefined, undefined]);
  expect(index.directory).toHaveLength(0);
  expect(index.pages).toHaveLength(0);
  expect(rowsOf(index, "ab".repeat(16))).toEqual([]);
});

test("a page has exactly these bytes", () => {
  const { directory, pages } = encoded([
    "02".repeat(16),
    "01".repeat(16),
    undefined,
    "02".repeat(16),
  ]);
  expect(Buffer.from(pages.subarray(0, -4)).toString("hex")).toBe(
    // Two ids; row 1, the last; rows 0 and 3, the last.
    `02000000${"01".repeat(16)}${"02".repeat(16)}030007`,
  );
  expect(Buffer.from(directory).toString("hex")).toBe(`${"01".repeat(16)}2b000000`);
});

test("no damaged byte of a page passes for what was written", () => {
  const { pages } = encoded(["02".repeat(16), "01".repeat(16)]);
  for (let offset = 0; offset < pages.length; offset++) {
    const damaged = Uint8Array.from(pages);
    damaged[offset] ^= 0x20;
    expect(isTracePageWhole(damaged)).toBe(false);
  }
});
