import { describe, expect, test } from "vitest";
import {
  formatTraceparent,
  parseContext,
  parseTraceparent,
} from "../../../src/runtime/node/trace.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const IDS = { traceId: TRACE, spanId: SPAN };

describe("traceparent", () => {
  test.each([
    [`00-${TRACE}-${SPAN}-01`, IDS],
    [`00-${TRACE}-${SPAN}-00`, IDS],
    // A later version: what is known of it is taken.
    [`cc-${TRACE}-${SPAN}-01`, IDS],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, IDS],
    [`cc-${TRACE}-${SPAN}-01.what-the-future-will-not-be-like`, undefined],
    [`00-${TRACE}-${SPAN}-01-what`, undefined],
    [`ff-${TRACE}-${SPAN}-01`, undefined],
    [`00-${"0".repeat(32)}-${SPAN}-01`, undefined],
    [`00-${TRACE}-${"0".repeat(16)}-01`, undefined],
    [`00-${TRACE.toUpperCase()}-${SPAN}-01`, undefined],
    [`00-${TRACE}-${SPAN}-1`, undefined],
    [`0-${TRACE}-${SPAN}-01`, undefined],
    [`00-${TRACE.slice(1)}-${SPAN}-01`, undefined],
    ["", undefined],
  ])("%s (CTX-001)", (text, expected) => {
    if (expected === undefined) expect(parseTraceparent(text)).toBeUndefined();
    else expect(parseTraceparent(text)).toMatchObject(expected);
  });
});

describe("tracestate (CTX-002)", () => {
  const stateOf = (state: string): string | undefined =>
    parseTraceparent(`00-${TRACE}-${SPAN}-01`, state)?.traceState;

  test("does not make its traceparent invalid, whatever it is", () => {
    expect(stateOf(",,=,\u0000")).toBeDefined();
  });

  test("of up to 32 members and 512 characters is passed on as it is", () => {
    const members = Array.from({ length: 32 }, (_, index) => `k${index}=v`).join(",");
    expect(stateOf(members)).toBe(members);
    expect(stateOf(`a=${"x".repeat(510)}`)).toHaveLength(512);
  });

  test("loses members from the right beyond 32", () => {
    const members = Array.from({ length: 40 }, (_, index) => `k${index}=v`);
    expect(stateOf(members.join(","))).toBe(members.slice(0, 32).join(","));
  });

  test("loses long members first, and then those to the right", () => {
    const long = `long=${"x".repeat(200)}`;
    const short = Array.from({ length: 8 }, (_, index) => `k${index}=${"y".repeat(60)}`);
    expect(stateOf([long, ...short].join(","))).toBe(short.join(","));
    const many = Array.from({ length: 10 }, (_, index) => `k${index}=${"y".repeat(60)}`);
    expect(stateOf(many.join(","))).toBe(many.slice(0, 8).join(","));
  });
});

test.each([
  ["00", "00"],
  ["01", "01"],
  ["02", "02"],
  ["03", "03"],
  ["ff", "03"],
])("flags %s go on as %s (CTX-003)", (flags, expected) => {
  const context = parseTraceparent(`00-${TRACE}-${SPAN}-${flags}`);
  expect(formatTraceparent(TRACE, SPAN, context?.traceFlags)).toBe(
    `00-${TRACE}-${SPAN}-${expected}`,
  );
});

describe("dora-rs's open_telemetry_context (CTX-005)", () => {
  const parent = `00-${TRACE}-${SPAN}-01`;
  test.each([
    [`traceparent:${parent}\ntracestate:a=b\n`, { ...IDS, traceState: "a=b" }],
    [`traceparent:${parent};tracestate:a=b;`, { ...IDS, traceState: "a=b" }],
    [`traceparent:${parent}\ntracestate:a=b:c\nbaggage:user=me\n`, { ...IDS, traceState: "a=b:c" }],
    [`tracestate:a=b\n`, undefined],
    ["7632e76", undefined],
    ["", undefined],
  ])("%j", (text, expected) => {
    if (expected === undefined) expect(parseContext(text)).toBeUndefined();
    else expect(parseContext(text)).toMatchObject(expected);
  });
});
