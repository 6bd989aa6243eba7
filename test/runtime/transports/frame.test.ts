import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeHello,
  encodeFrame,
  encodeHello,
  encodeNumbers,
  FRAME,
  FrameError,
} from "../../../src/runtime/transports/frame.ts";
import { FrameReader } from "../../../src/runtime/transports/frame-reader.ts";

interface Seen {
  readonly type: number;
  readonly link: number;
  readonly header: string;
  readonly payload: string;
}

/** Reads bytes in chunks of the sizes given, over and over; stops for a while after each `pauseEvery`th frame. */
function readAll(
  bytes: Buffer,
  chunkSizes: readonly number[],
  pauseEvery = Infinity,
): readonly Seen[] {
  const seen: Seen[] = [];
  const reader = new FrameReader({
    check: () => {},
    allocate: (size) => Buffer.alloc(size),
    take: ({ type, link, header, payload }) => {
      seen.push({ type, link, header: header.toString("hex"), payload: payload.toString("hex") });
      return seen.length % pauseEvery !== 0;
    },
  });
  let position = 0;
  for (let index = 0; position < bytes.length; index++) {
    const end = position + chunkSizes[index % chunkSizes.length];
    reader.add(bytes.subarray(position, end));
    while (!reader.resume());
    position = end;
  }
  return seen;
}

test("frames are to the byte what the document says (golden bytes)", () => {
  expect(encodeHello({ topic: "a/b", token: "xyz" }, 7).toString("hex")).toBe(
    "010000000b0000000300000007000000444f524101000000612f6278797a",
  );
  expect(encodeFrame(FRAME.message, Buffer.from("h"), Buffer.from("pay")).toString("hex")).toBe(
    "0400000001000000030000000000000068706179",
  );
  expect(encodeNumbers(FRAME.taken, [2, 0x0102_0304]).toString("hex")).toBe(
    "080000000000000008000000000000000200000004030201",
  );
});

test("a hello is read as it was written; another version is refused by its number", () => {
  const hello = encodeHello({ topic: "kamera/bild → ziel", token: "geheim ✓" });
  const header = hello.subarray(16, 16 + hello.readUInt32LE(4));
  const payload = hello.subarray(16 + header.length);
  expect(decodeHello(header, payload)).toEqual({ topic: "kamera/bild → ziel", token: "geheim ✓" });
  header.writeUInt16LE(2, 4);
  expect(() => decodeHello(header, payload)).toThrow("protocol version 2; spoken here is 1");
});

test("frames are the same however the stream is cut, and wherever reading pauses", () => {
  const frame = fc.record({
    type: fc.integer({ min: 1, max: 11 }),
    header: fc.uint8Array({ maxLength: 40 }),
    payload: fc.uint8Array({ maxLength: 200 }),
    link: fc.nat({ max: 0xffff_ffff }),
  });
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 4 }),
      (frames, chunkSizes, pauseEvery) => {
        const bytes = Buffer.concat(
          frames.map(({ type, header, payload, link }) => encodeFrame(type, header, payload, link)),
        );
        const expected = frames.map(({ type, header, payload, link }) => ({
          type,
          link,
          header: Buffer.from(header).toString("hex"),
          payload: Buffer.from(payload).toString("hex"),
        }));
        expect(readAll(bytes, chunkSizes, pauseEvery)).toEqual(expected);
      },
    ),
  );
});

test("each byte of a frame's first four that is changed is noticed", () => {
  for (const [offset, value] of [
    [0, 0],
    [0, 12],
    [1, 1],
    [2, 1],
    [3, 1],
  ]) {
    const bytes = encodeFrame(FRAME.message, Buffer.from("h"), Buffer.from("p"));
    bytes[offset] = value;
    expect(() => readAll(bytes, [100])).toThrow(FrameError);
  }
});
