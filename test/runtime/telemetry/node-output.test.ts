import { describe, expect, test } from "vitest";
import type { Hop } from "../../../src/runtime/protocol/hops.ts";
import { HandledHops } from "../../../src/runtime/telemetry/handled-hops.ts";
import { NodeOutput, OUTPUT_HOLD_MS } from "../../../src/runtime/telemetry/node-output.ts";
import { frameOf, handledHop, sentHop, spanIdOf, traceIdOf } from "./made-hops.ts";

const BASE_MS = Date.UTC(2026, 0, 1);
/** A time of the test, given in milliseconds since its start. */
const at = (ms: number): bigint => BigInt(Math.round((BASE_MS + ms) * 1000)) * 1000n;

const handled = (trace: number, fromMs: number, toMs: number) =>
  handledHop({
    traceId: traceIdOf(trace),
    spanId: spanIdOf(trace),
    startUnixNs: at(fromMs),
    endUnixNs: at(toMs),
  });

function outputOf(isHeld = true) {
  const hops = new HandledHops();
  const told: string[] = [];
  const output = new NodeOutput(hops, isHeld, (record, hop) => {
    told.push(`${record.body} ${Number.parseInt(hop?.traceId ?? "0", 16)}`);
  });
  const write = (text: string, ms: number) => {
    output.push("stdout", Buffer.from(text), at(ms), ms);
    output.push("stdout", Buffer.from("\n"), at(ms), ms);
  };
  const come = (...frame: readonly Hop[]) => {
    hops.add(frameOf(...frame));
    output.release();
  };
  return { output, told, write, come };
}

describe("a record's trace", () => {
  test.each([
    ["during a handler", 15, 1],
    ["during a handler within another, the one that began last", 25, 2],
    ["just after a handler, since a pipe takes time", 44, 1],
    ["between handlers", 60, 0],
    ["before any", 5, 0],
  ])("%s", (_, ms, trace) => {
    const { output, told, write, come } = outputOf();
    write("x", ms);
    output.tick(at(ms + 200), ms + 200);
    come(
      handled(2, 20, 30),
      sentHop({ startUnixNs: at(5), endUnixNs: at(100) }),
      handled(1, 10, 40),
    );
    come(handled(3, 100, 110));
    output.tick(at(ms + 600), ms + 600);
    expect(told).toEqual([`x ${trace}`]);
  });

  test("a record goes out as soon as a hop covers it, and no later than after the hold", () => {
    const { output, told, write, come } = outputOf();
    write("a", 10);
    write("b", 500);
    write("c", 510);
    come(handled(1, 5, 15));
    expect(told).toEqual(["a 1"]);
    output.tick(at(500 + OUTPUT_HOLD_MS - 1), 500 + OUTPUT_HOLD_MS - 1);
    expect(told).toEqual(["a 1"]);
    output.tick(at(510 + OUTPUT_HOLD_MS), 510 + OUTPUT_HOLD_MS);
    expect(told.slice(0, 2)).toEqual(["a 1", "b 0"]);
  });

  test("a time in the text is when it was written, cut to a millisecond as it may be", () => {
    const { output, told, write, come } = outputOf();
    const line = (ms: number) => `${new Date(BASE_MS + ms).toISOString()} INFO app: m`;
    write(line(20), 90);
    come(handled(1, 20.4, 30), handled(2, 80, 95));
    output.tick(at(500), 500);
    output.tick(at(900), 900);
    expect(told).toEqual(["m 1"]);
  });

  test("ids in the text count for more than the hop", () => {
    const { output, told, write, come } = outputOf();
    write(`{"level":"info","msg":"m","trace_id":"${traceIdOf(9)}"}`, 10);
    come(handled(1, 5, 15));
    output.end(at(20), 20);
    expect(told).toEqual(["m 0"]);
  });
});

test("a node without inputs handles nothing: its records do not wait", () => {
  const { told, write } = outputOf(false);
  write("a", 10);
  write("b", 11);
  expect(told).toEqual(["a 0"]);
});

test("a line without an end is told after 200 ms of silence, and all at the end", () => {
  const { output, told } = outputOf(false);
  output.push("stdout", Buffer.from("loading"), at(0), 0);
  output.tick(at(199), 199);
  expect(told).toEqual([]);
  output.tick(at(200), 200);
  expect(told).toEqual(["loading 0"]);
  output.push("stderr", Buffer.from("last words"), at(300), 300);
  output.end(at(301), 301);
  expect(told).toEqual(["loading 0", "last words 0"]);
});
