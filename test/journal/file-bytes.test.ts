import { expect, test } from "vitest";
import { encodeFileHeader, readFileHeader } from "../../src/journal/file-header.ts";
import { encodeKeysFile, readKeysFile, RetryKeyList } from "../../src/journal/keys-file.ts";

const HEADER = {
  fileNumber: 14,
  previousNumber: 12,
  previousBytes: 0x1_0000_0003,
  nextSeq: 0x2_0000_0005,
  droppedTotals: { logs: 6, traces: 7, metrics: 8 },
  salt: 0x04_03_02_01,
};

function hexOf(...groups: readonly string[]): string {
  return groups.join("").replaceAll(" ", "");
}

test("a journal file's header has the bytes that docs/format.md describes, twice", () => {
  const copy = hexOf(
    "646f72614a524e4c 01000000 2eacf336",
    "0e00000000000000 0c00000000000000 0300000001000000 0500000002000000",
    "0600000000000000 0700000000000000 0800000000000000 01020304",
    "00".repeat(48),
    "c5aa2e74",
  );
  const bytes = encodeFileHeader(HEADER);
  expect(Buffer.from(bytes).toString("hex")).toBe(copy + copy);
  expect(readFileHeader(bytes)).toEqual({ state: "ok", header: HEADER, damagedCopies: 0 });
  expect(readFileHeader(bytes.subarray(0, 255))).toEqual({ state: "short" });
});

test("a keys file has the bytes that docs/format.md describes", () => {
  const key = Uint8Array.from({ length: 16 }, (_, index) => 0xa0 + index);
  const entry = { receivedUnixMs: 1_700_000_000_000, receivedCount: 9, rejectedCount: 2 };
  const keys = new RetryKeyList();
  keys.add(key, entry);
  const bytes = Buffer.concat(encodeKeysFile(keys));
  expect(bytes.toString("hex")).toBe(
    hexOf(
      "646f72614b455953 01000000 803c43a4 0100000000000000 16b0918e 15e468a5",
      "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 0068e5cf8b010000 09000000 02000000",
    ),
  );
  const reading = readKeysFile(bytes);
  expect(reading.state === "ok" && [...reading.keys.entries()]).toEqual([
    [Buffer.from(key), entry],
  ]);
});
