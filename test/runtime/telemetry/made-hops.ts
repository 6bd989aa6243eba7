import type { Hop } from "../../../src/runtime/protocol/hops.ts";
import { ALL_LINKS, HOP_HANDLED, HOP_SENT, HopWriter } from "../../../src/runtime/protocol/hops.ts";

const PLAIN: Omit<Hop, "kind"> = {
  isFailed: false,
  port: 0,
  link: ALL_LINKS,
  payloadBytes: 100,
  traceId: traceIdOf(1),
  spanId: spanIdOf(1),
  parentSpanId: "",
  startUnixNs: 0n,
  endUnixNs: 0n,
  sentUnixNs: 0n,
  receivedUnixNs: 0n,
};

export function traceIdOf(number: number): string {
  return number.toString(16).padStart(32, "0");
}

export function spanIdOf(number: number): string {
  return number.toString(16).padStart(16, "0");
}

export function sentHop(hop: Partial<Hop>): Hop {
  return { ...PLAIN, ...hop, kind: HOP_SENT };
}

export function handledHop(hop: Partial<Hop>): Hop {
  return { ...PLAIN, ...hop, kind: HOP_HANDLED };
}

/** Hops as a node sends them. */
export function frameOf(...hops: readonly Hop[]): Buffer {
  const writer = new HopWriter();
  for (const hop of hops) writer.write(hop);
  return writer.take();
}
