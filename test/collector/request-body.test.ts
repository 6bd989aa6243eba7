import { once } from "node:events";
import { PassThrough } from "node:stream";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Reservation } from "../../src/collector/memory-limiter.ts";
import { MemoryLimiter } from "../../src/collector/memory-limiter.ts";
import type { BodyPace } from "../../src/collector/request-body.ts";
import { BodyAssembler, inflateBody, readInto } from "../../src/collector/request-body.ts";
import { assert } from "../../src/core/assert.ts";
import { systemClock } from "../../src/core/clock.ts";

const MIB = 1024 * 1024;
const PATIENT: BodyPace = { graceMs: 60_000, bytesPerSecondMin: 0, wholeMs: 60_000 };

function reserve(bytes: number): { limiter: MemoryLimiter; reservation: Reservation } {
  const limiter = new MemoryLimiter({ inFlightBytesMax: 64 * MIB, clock: systemClock });
  const reservation = limiter.tryReserve(bytes);
  assert(reservation !== undefined, "the limiter has room");
  return { limiter, reservation };
}

describe("a body that is put together", () => {
  test("of known length and in one chunk is that chunk, not a copy", () => {
    const { reservation } = reserve(4);
    const assembler = new BodyAssembler({ reservation, bytesMax: MIB, lengthBytes: 4 });
    const chunk = Buffer.from("body");
    assembler.add(chunk);
    expect(assembler.finish().buffer).toBe(chunk.buffer);
  });

  test("of unknown length never holds more than is reserved, and reserves at most twice its size", () => {
    const { reservation } = reserve(0);
    const assembler = new BodyAssembler({ reservation, bytesMax: 16 * MIB });
    for (let index = 0; index < 3000; index += 1) {
      expect(assembler.add(Buffer.alloc(1 + (index % 997), index % 251))).toBeUndefined();
      const body = assembler.finish();
      expect(body.buffer.byteLength).toBeLessThanOrEqual(Math.max(16 * 1024, reservation.bytes));
      expect(reservation.bytes).toBeLessThanOrEqual(Math.max(16 * 1024, 2 * body.length));
    }
  });

  test("of one-byte chunks costs what it weighs, not a buffer a byte (PIPE-003)", () => {
    const { reservation } = reserve(0);
    const assembler = new BodyAssembler({ reservation, bytesMax: MIB });
    for (let index = 0; index < 1000; index += 1) assembler.add(Buffer.from([index % 256]));
    expect(assembler.finish()).toHaveLength(1000);
    expect(assembler.finish().buffer.byteLength).toBeLessThanOrEqual(16 * 1024);
  });
});

describe("reading a stream", () => {
  const sinkOf = (lengthBytes?: number) =>
    new BodyAssembler({
      reservation: reserve(lengthBytes ?? 0).reservation,
      bytesMax: MIB,
      lengthBytes,
    });

  test("that is destroyed, before or while it is read, ends as aborted", async () => {
    const before = new PassThrough().destroy();
    await once(before, "close");
    expect(await readInto(before, sinkOf(), PATIENT)).toMatchObject({ reason: "aborted" });
    const during = new PassThrough();
    const reading = readInto(during, sinkOf(), PATIENT);
    during.write("x");
    during.destroy();
    expect(await reading).toMatchObject({ reason: "aborted" });
  });

  test("leaves what follows a refusal unread", async () => {
    const source = new PassThrough();
    const reading = readInto(source, sinkOf(), PATIENT);
    source.write(Buffer.alloc(MIB + 1));
    expect(await reading).toMatchObject({ reason: "too_large" });
    expect(source.isPaused()).toBe(true);
    expect(source.listenerCount("end")).toBe(new PassThrough().listenerCount("end"));
  });

  test("that keeps its pace may take longer than the grace", async () => {
    const source = new PassThrough();
    const pace = { graceMs: 10, bytesPerSecondMin: 1, wholeMs: 60_000 };
    const reading = readInto(source, sinkOf(), pace);
    source.write(Buffer.alloc(1000));
    const later = setTimeout(() => source.end(), 60);
    expect(await reading).toBeUndefined();
    clearTimeout(later);
  });

  test.each([
    ["slower than the least rate", undefined, { bytesPerSecondMin: 1e9, wholeMs: 60_000 }],
    ["that would not be whole in time", MIB, { bytesPerSecondMin: 0, wholeMs: 60_000 }],
    ["past the time for all of it", undefined, { bytesPerSecondMin: 0, wholeMs: 10 }],
  ])("%s ends as slow (SEC-006)", async (_what, lengthBytes, pace) => {
    const source = new PassThrough();
    const reading = readInto(source, sinkOf(lengthBytes), { graceMs: 10, ...pace });
    source.write("x");
    expect(await reading).toMatchObject({ reason: "slow", httpStatus: 408 });
  });

  test("leaves no timer behind", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout");
    const before = timers().length;
    const source = new PassThrough();
    const reading = readInto(source, sinkOf(), PATIENT);
    source.end("x");
    await reading;
    expect(timers()).toHaveLength(before);
  });
});

describe("inflating", () => {
  test("gives the compressed bytes back and keeps the reservation of the result", async () => {
    const body = Buffer.alloc(100_000, "dataflow");
    const compressed = gzipSync(body);
    const { limiter, reservation } = reserve(compressed.length);
    const result = await inflateBody(compressed, { reservation, bytesMax: MIB });
    assert(result.status === "read", "the gzip is good");
    expect(body.equals(result.body)).toBe(true);
    expect(limiter.inFlightBytes).toBe(result.body.buffer.byteLength);
    reservation.release();
    expect(limiter.inFlightBytes).toBe(0);
  });

  test("stops at the limit and has reserved no more than it (SEC-004)", async () => {
    const compressed = gzipSync(Buffer.alloc(32 * MIB));
    const { limiter, reservation } = reserve(compressed.length);
    const result = await inflateBody(compressed, { reservation, bytesMax: MIB });
    expect(result).toMatchObject({ status: "refused", refusal: { reason: "too_large" } });
    expect(limiter.inFlightBytes).toBeLessThanOrEqual(compressed.length + MIB);
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["text", Buffer.from("no gzip")],
    ["a cut gzip", gzipSync("text").subarray(0, -1)],
    ["a gzip with a wrong checksum", flipped(gzipSync("text"), -8)],
  ])("%s is refused as invalid (OTLP-005)", async (_what, compressed) => {
    const { reservation } = reserve(compressed.length);
    const result = await inflateBody(compressed, { reservation, bytesMax: MIB });
    expect(result).toMatchObject({ status: "refused", refusal: { reason: "invalid" } });
  });
});

function flipped(bytes: Buffer, index: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8((copy.at(index) ?? 0) ^ 1, copy.length + index);
  return copy;
}
