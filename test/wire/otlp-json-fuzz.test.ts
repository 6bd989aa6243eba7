import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Signal } from "../../src/core/record.ts";
import { otlpJsonToProtobuf } from "../../src/wire/otlp-json.ts";
import { otlpProtobufToJson } from "../../src/wire/otlp-to-json.ts";
import { WireError } from "../../src/wire/wire-error.ts";
import { type Draw } from "./otlp-arbitrary.ts";

const ROUNDS = 2500;

const SEEDS: readonly (readonly [name: string, signal: Signal])[] = [
  ["logs", "logs"],
  ["trace", "traces"],
  ["metrics", "metrics"],
];

/** What is thrown into a text: what JSON is made of, and what it is not. */
const PIECES = [
  ...Array.from('{}[],:"\\ \n\u0000é0123456789-+.eE'),
  ..."null true false NaN Infinity undefined".split(" "),
  "\\u",
  "\\ud83d",
  `"__proto__":`,
  "1e999",
  "18446744073709551616",
  `"stringValue":"x",`,
  "[".repeat(300),
].map((piece) => Buffer.from(piece));

/** A small generator with a seed, so that a failure comes again (mulberry32's constants). */
function seededDraw(seed: number): Draw {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function mutate(source: Buffer, draw: Draw): Buffer {
  let bytes = Buffer.from(source);
  for (let count = draw(3); count >= 0; count--) {
    const at = draw(bytes.length);
    const piece = PIECES[draw(PIECES.length)] ?? Buffer.alloc(0);
    const removed = [0, 1, piece.length, draw(40)][draw(4)] ?? 0;
    if (draw(5) === 0) bytes[at] = draw(256);
    else bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + removed)]);
  }
  return bytes;
}

/** Runs a reader that may only succeed or throw `WireError`; undefined where it threw. */
function attempt<Result>(read: () => Result, bytes: Uint8Array): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    if (error.offset < 0 || error.offset > bytes.length) throw error;
    return undefined;
  }
}

describe.each(SEEDS)("a damaged %s.json", (name, signal) => {
  const fixture = readFileSync(new URL(`../fixtures/otlp/${name}.json`, import.meta.url));
  const compact = Buffer.from(JSON.stringify(JSON.parse(fixture.toString())));

  test("is read or refused with WireError, and never read where JSON.parse refuses it", () => {
    const draw = seededDraw(1736282046);
    let readCount = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const body = mutate(compact, draw);
      const bytes = attempt(() => otlpJsonToProtobuf(signal, body), body);
      if (bytes === undefined) continue;
      readCount += 1;
      expect(isUtf8(body)).toBe(true);
      expect(() => JSON.parse(body.toString()) as unknown, body.toString()).not.toThrow();
      otlpProtobufToJson(signal, bytes);
    }
    expect(readCount).toBeGreaterThan(ROUNDS / 50);
    expect(readCount).toBeLessThan(ROUNDS / 2);
  });

  test("is refused wherever it is cut", () => {
    for (let length = 0; length < compact.length; length++) {
      const body = compact.subarray(0, length);
      expect(() => otlpJsonToProtobuf(signal, body), `cut at ${length}`).toThrow(WireError);
    }
  });

  test("as protobuf is read or refused with WireError, cut and damaged", () => {
    const draw = seededDraw(7);
    const bytes = otlpJsonToProtobuf(signal, compact);
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      const text = attempt(() => otlpProtobufToJson(signal, cut), cut);
      if (text !== undefined) JSON.parse(text);
    }
    for (let round = 0; round < ROUNDS; round++) {
      const damaged = mutate(Buffer.from(bytes), draw);
      const text = attempt(() => otlpProtobufToJson(signal, damaged), damaged);
      if (text !== undefined) JSON.parse(text);
    }
  });
});
