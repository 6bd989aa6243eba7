import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SIGNALS, type Signal } from "../../src/core/record.ts";
import { otlpJsonToProtobuf } from "../../src/wire/otlp-json.ts";
import { otlpProtobufToJson } from "../../src/wire/otlp-to-json.ts";
import { requestArbitrary, respell } from "./otlp-arbitrary.ts";
import { decodeReferenceRequest, encodeReferenceRequest } from "./otlp-reference.ts";

const FIXTURES: readonly (readonly [name: string, signal: Signal])[] = [
  ["logs", "logs"],
  ["events", "logs"],
  ["trace", "traces"],
  ["metrics", "metrics"],
];

function readFixture(name: string): Buffer {
  return readFileSync(new URL(`../fixtures/otlp/${name}.json`, import.meta.url));
}

/** Each run makes a whole request, so that few of them cover much. */
const RUNS = { numRuns: 60, seed: 20250107 };

describe.each(FIXTURES)("the example %s.json", (name, signal) => {
  const body = readFixture(name);
  const parsed: unknown = JSON.parse(body.toString());

  test("means to protobufjs what it means to us (CONF-001, OTLP-015)", () => {
    const reference = encodeReferenceRequest(signal, parsed);
    expect(decodeReferenceRequest(signal, otlpJsonToProtobuf(signal, body))).toEqual(
      decodeReferenceRequest(signal, reference),
    );
  });

  test("comes back from protobuf with lower-case ids and nothing lost (OTLP-018)", () => {
    const text = otlpProtobufToJson(signal, otlpJsonToProtobuf(signal, body));
    const expected = body
      .toString()
      .replaceAll(/[0-9A-F]{16,32}/g, (id) => (/[A-F]/.test(id) ? id.toLowerCase() : id));
    expect(JSON.parse(text)).toEqual(JSON.parse(expected));
  });
});

describe.each(SIGNALS)("any request of %s", (signal) => {
  test("survives JSON to protobuf to JSON unchanged (OTLP-018)", () => {
    fc.assert(
      fc.property(requestArbitrary(signal), (request) => {
        const bytes = otlpJsonToProtobuf(signal, Buffer.from(JSON.stringify(request)));
        expect(JSON.parse(otlpProtobufToJson(signal, bytes))).toEqual(request);
      }),
      RUNS,
    );
  });

  test("is the same to protobufjs, which shares no code with ours", () => {
    fc.assert(
      fc.property(requestArbitrary(signal), (request) => {
        const reference = encodeReferenceRequest(signal, request);
        const ours = otlpJsonToProtobuf(signal, Buffer.from(JSON.stringify(request)));
        expect(decodeReferenceRequest(signal, ours)).toEqual(
          decodeReferenceRequest(signal, reference),
        );
        expect(JSON.parse(otlpProtobufToJson(signal, reference))).toEqual(request);
      }),
      RUNS,
    );
  });

  test("reads the same in every accepted spelling (OTLP-015, OTLP-016, OTLP-017)", () => {
    fc.assert(
      fc.property(requestArbitrary(signal), fc.infiniteStream(fc.nat()), (request, numbers) => {
        const text = respell(signal, request, (below) => numbers.next().value % below);
        const bytes = otlpJsonToProtobuf(signal, Buffer.from(text));
        expect(JSON.parse(otlpProtobufToJson(signal, bytes))).toEqual(request);
      }),
      RUNS,
    );
  });
});
