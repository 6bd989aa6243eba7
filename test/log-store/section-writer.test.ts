import { expect, test } from "vitest";
import { SectionWriter } from "../../src/log-store/section-writer.ts";

/** Bytes that no compressor makes smaller, the same in every run. */
function randomBytes(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 0x41c6_4e6d) + 0x3039) | 0;
    return state >>> 16;
  });
}

function codecOf(raw: Uint8Array): string {
  return new SectionWriter(1).add("span_id", raw, true).codec;
}

test("ids that are random are left as they are", () => {
  expect(codecOf(randomBytes(100_000))).toBe("raw");
});

test("ids are compressed where many are absent, wherever they are", () => {
  const random = randomBytes(50_000);
  const absent = new Uint8Array(50_000);
  expect(codecOf(Buffer.concat([random, absent]))).toBe("zstd");
  expect(codecOf(Buffer.concat([absent, random]))).toBe("zstd");
  const halves = randomBytes(100_000).map((byte, index) => (index % 16 < 8 ? byte : 0));
  expect(codecOf(halves)).toBe("zstd");
});
