/** What processes are told of the trace that they are started in, and the spans that it names. */
import { expect, test } from "vitest";
import { parseTraceparent } from "../../../src/runtime/node/trace.ts";
import { openDaemon } from "./daemon-harness.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const PRINT = `#!/bin/sh
echo "parent=$TRACEPARENT state=$TRACESTATE baggage=$BAGGAGE"
`;

function told(output: string): readonly (readonly string[])[] {
  const lines = output.matchAll(/^parent=(.*) state=(.*) baggage=(.*)$/gm);
  return Array.from(lines, ([, parent = "", state = "", baggage = ""]) => [parent, state, baggage]);
}

test("a process is told of the span of its start, in the trace that was given with it (CTX-007)", async () => {
  const it = await openDaemon();
  it.file("print.sh", PRINT, 0o755);
  const id = await it.start(`
env: { TRACEPARENT: 00-${TRACE}-${PARENT}-01, TRACESTATE: vendor=1, BAGGAGE: robot=r2 }
nodes: [{ id: a, path: print.sh }, { id: b, path: print.sh }]
`);
  await it.until(() => it.status(id).state === "completed");
  const spans = it.telemetry.starts;
  expect(spans.map(({ node }) => node).toSorted()).toEqual(["a", "b"]);
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(2);
  for (const span of spans) {
    expect(span).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, isFailed: false });
    expect(span.endUnixNs).toBeGreaterThanOrEqual(span.startUnixNs);
    const traceparent = `00-${TRACE}-${span.spanId}-01`;
    expect(told(it.telemetry.output(span.node))).toEqual([[traceparent, "vendor=1", "robot=r2"]]);
  }
});

test("carriers of the daemon's own environment are about another trace, and go to nobody (CTX-007)", async () => {
  const it = await openDaemon({
    environment: {
      ...process.env,
      TRACEPARENT: `00-${TRACE}-${PARENT}-01`,
      TRACESTATE: "vendor=1",
      BAGGAGE: "robot=r2",
    },
  });
  it.file("print.sh", PRINT, 0o755);
  const id = await it.start(`
env: { TRACEPARENT: nonsense }
nodes: [{ id: a, path: print.sh, restart_policy: never }]
`);
  await it.until(() => it.status(id).state === "completed");
  const [[parent = "", state, baggage] = []] = told(it.telemetry.output("a"));
  expect([state, baggage]).toEqual(["", ""]);
  const [span] = it.telemetry.starts;
  expect(parseTraceparent(parent)).toMatchObject({ traceId: span?.traceId, spanId: span?.spanId });
  expect(span?.traceId).not.toBe(TRACE);
  expect(span?.parentSpanId).toBeUndefined();
});

test("each start has a span of its own; one that ends before it runs has failed", async () => {
  const it = await openDaemon();
  it.file("fail.sh", `${PRINT}exit 3\n`, 0o755);
  const id = await it.start(`
nodes:
  - { id: a, path: fail.sh, inputs: { tick: dora/timer/secs/1 }, restart_policy: on-failure, max_restarts: 1, restart_delay: 0 }
`);
  await it.until(() => it.status(id).state === "failed");
  expect(it.telemetry.starts.map(({ isFailed, restarts }) => [isFailed, restarts])).toEqual([
    [true, 0],
    [true, 1],
  ]);
  const [first, second] = told(it.telemetry.output("a"));
  expect(first).not.toEqual(second);
});
