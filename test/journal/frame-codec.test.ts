import { crc32 } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SIGNALS } from "../../src/core/record.ts";
import type { Frame } from "../../src/journal/frame.ts";
import { encodeFrameHeader, findFrame, readFrame } from "../../src/journal/frame-codec.ts";
import { decodeOrdinals, encodeOrdinals } from "../../src/journal/ordinals.ts";
import { makeFrame } from "./journal-user.ts";

const SALT = 0x04_03_02_01;

function bytesOf(frame: Frame): Buffer {
  return Buffer.concat([encodeFrameHeader(frame, SALT), frame.payload]);
}

function withHeaderCrc(bytes: Buffer): void {
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
}

const GOLDEN = makeFrame(0x01_00_00_00_02, {
  signal: "traces",
  receivedUnixMs: 1_700_000_000_000,
  retryKey: Uint8Array.from({ length: 16 }, (_, index) => 0xa0 + index),
  receivedCount: 9,
  rejected: [1, 2, 5],
  filtered: [0],
  isDuplicate: true,
  payload: Buffer.from("hello"),
});

describe("a frame", () => {
  test("has the bytes that docs/format.md describes", () => {
    const golden = [
      "6446524d 01020304 02 01 0000 05000000 08000000 b940ab48 09000000",
      "0200000001000000 0068e5cf8b010000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf be1b59ba",
      "02 0102 0201 01 0001 68656c6c6f",
    ];
    expect(bytesOf(GOLDEN).toString("hex")).toBe(golden.join("").replaceAll(" ", ""));
  });

  test("comes back as it was written", () => {
    const frames = fc.record({
      signal: fc.constantFrom(...SIGNALS),
      firstSeq: fc.maxSafeNat().map((seq) => Math.floor(seq / 2)),
      receivedUnixMs: fc.maxSafeNat(),
      retryKey: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      receivedCount: fc.constant(200),
      rejected: fc.uniqueArray(fc.nat(199)).map((list) => list.sort((a, b) => a - b)),
      filtered: fc.uniqueArray(fc.nat(199)).map((list) => list.sort((a, b) => a - b)),
      isDuplicate: fc.boolean(),
      payload: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(frames, fc.nat(50), (frame, offset) => {
        const bytes = Buffer.concat([Buffer.alloc(offset), bytesOf(frame)]);
        const reading = readFrame(bytes, offset, SALT);
        expect(reading.status).toBe("whole");
        if (reading.status !== "whole") return;
        expect(reading.endOffset).toBe(bytes.length);
        const { retryKey, payload, ...rest } = reading.frame;
        expect({ ...rest, retryKey: Uint8Array.from(retryKey) }).toEqual({
          ...frame,
          payload: undefined,
        });
        expect(Uint8Array.from(payload)).toEqual(frame.payload);
      }),
    );
  });

  test("is not read where any bit of it is another", () => {
    const whole = bytesOf(GOLDEN);
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const bytes = Buffer.from(whole);
      bytes[bit >> 3] ^= 1 << (bit & 7);
      expect(readFrame(bytes, 0, SALT).status, `bit ${bit}`).toBe(
        bit < 64 * 8 ? "unreadable" : "damaged",
      );
    }
  });

  test("that is cut tells its length and numbers as long as its header is whole", () => {
    const whole = bytesOf(GOLDEN);
    for (let length = 0; length < whole.length; length++) {
      expect(readFrame(whole.subarray(0, length), 0, SALT)).toEqual(
        length < 64
          ? { status: "unreadable" }
          : { status: "damaged", endOffset: whole.length, endSeq: GOLDEN.firstSeq + 9 },
      );
    }
  });

  test("of another file is not read, and not found", () => {
    const bytes = bytesOf(GOLDEN);
    expect(readFrame(bytes, 0, SALT + 1).status).toBe("unreadable");
    expect(findFrame(bytes, 0, SALT + 1)).toBeUndefined();
    expect(findFrame(bytes, 0, SALT)).toBe(0);
    expect(findFrame(bytes, 1, SALT)).toBeUndefined();
  });

  test("past a limit is refused before anything is allocated", () => {
    for (const [offset, value] of [
      [12, 0xff_ff_ff_ff],
      [16, 0xff_ff_ff_ff],
      [24, 0xff_ff_ff_ff],
      [32, 0xff_ff_ff_ff],
      [40, 0xff_ff_ff_ff],
    ] as const) {
      const bytes = bytesOf(GOLDEN);
      bytes.writeUInt32LE(value, offset);
      withHeaderCrc(bytes);
      expect(readFrame(bytes, 0, SALT).status, `at ${offset}`).toBe("unreadable");
    }
  });
});

describe("ordinals", () => {
  test("of a request that is rejected whole take a few bytes", () => {
    const all = Array.from({ length: 100_000 }, (_, index) => index);
    expect(encodeOrdinals(all, []).length).toBe(6);
    expect(decodeOrdinals(encodeOrdinals(all, []), all.length)?.rejected).toEqual(all);
  });

  test("that are none take no byte", () => {
    expect(encodeOrdinals([], []).length).toBe(0);
  });

  test("are refused where they are cut, too long, or name a record that is not there", () => {
    const bytes = encodeOrdinals([1, 2, 5], [0]);
    expect(decodeOrdinals(bytes, 6)).toEqual({ rejected: [1, 2, 5], filtered: [0] });
    expect(decodeOrdinals(bytes, 5)).toBeUndefined();
    for (let length = 1; length < bytes.length; length++) {
      expect(decodeOrdinals(bytes.subarray(0, length), 6), `cut at ${length}`).toBeUndefined();
    }
    expect(decodeOrdinals(Buffer.concat([bytes, Buffer.alloc(1)]), 6)).toBeUndefined();
    // One run of 2^27 records: refused by the count, before the list is built.
    expect(decodeOrdinals(Buffer.from("0100ffffff3f00", "hex"), 6)).toBeUndefined();
    expect(decodeOrdinals(Buffer.from("ffffffffff", "hex"), 6)).toBeUndefined();
  });
});
