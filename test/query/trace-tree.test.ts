import { describe, expect, test } from "vitest";
import type { LogEntry, SpanEntry } from "../../src/core/entry.ts";
import type { TraceSpan } from "../../src/query/trace-tree.ts";
import { buildTraceTree, TRACE_DEPTH_MAX } from "../../src/query/trace-tree.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";

function span(id: string, parent = ""): SpanEntry {
  return {
    timestamp: "2025-01-07T20:34:06.000000Z",
    duration_ns: 1,
    node: "camera",
    name: id,
    kind: "internal",
    status: "unset",
    status_message: "",
    trace_id: TRACE_ID,
    span_id: id,
    parent_span_id: parent,
    dataflow: "",
    seq: 0,
    attributes: {},
    events: [],
    links: [],
    resource: {},
  };
}

function log(message: string, spanId = ""): LogEntry {
  return {
    timestamp: "2025-01-07T20:34:06.000000Z",
    level: "INFO",
    node: "camera",
    message,
    trace_id: TRACE_ID,
    span_id: spanId,
    dataflow: "",
    logger: "",
    event_name: "",
    severity_number: 9,
    severity_text: "",
    observed_timestamp: "",
    trace_flags: 1,
    seq: 0,
    attributes: {},
    resource: {},
  };
}

/** `a(b(c),d)` and its logs as `a[x]`. */
function shape(spans: readonly TraceSpan[]): string {
  return spans
    .map(({ name, children, logs }) => {
      const messages = logs.map((entry) => entry.message).join(",");
      const below = children.length === 0 ? "" : `(${shape(children)})`;
      return `${name}${messages === "" ? "" : `[${messages}]`}${below}`;
    })
    .join(",");
}

function build(spans: readonly SpanEntry[], logs: readonly LogEntry[] = []): string {
  const tree = buildTraceTree(TRACE_ID, spans, logs);
  const loose = tree.logs.map((entry) => ` +${entry.message}`).join("");
  return `${shape(tree.spans)}${loose} missing ${tree.missing_parents}`;
}

describe("buildTraceTree", () => {
  test("hangs children at their parents, each level in the order of time", () => {
    expect(build([span("a"), span("b", "a"), span("c", "b"), span("d", "a"), span("e")])).toBe(
      "a(b(c),d),e missing 0",
    );
  });

  test("finds a parent that starts after its child", () => {
    expect(build([span("b", "a"), span("a")])).toBe("a(b) missing 0");
  });

  test("promotes and counts spans whose parent is not there", () => {
    expect(build([span("b", "gone"), span("a"), span("c", "b")])).toBe("b(c),a missing 1");
  });

  test("hangs logs at their span and keeps those without a known span apart", () => {
    const logs = [log("x", "a"), log("y"), log("z", "gone"), log("w", "b"), log("v", "a")];
    expect(build([span("a"), span("b", "a")], logs)).toBe("a[x,v](b[w]) +y +z missing 0");
  });

  test("gives logs alone where no span arrived", () => {
    expect(build([], [log("x", "a")])).toBe(" +x missing 0");
  });

  test("cuts circles above their earliest span and loses none of them", () => {
    expect(build([span("a", "c"), span("b", "a"), span("c", "b"), span("d", "b")])).toBe(
      "a(b(c,d)) missing 1",
    );
    expect(build([span("a", "a"), span("b", "a")])).toBe("a(b) missing 1");
  });

  test("keeps all spans that share an id, the first with the children and logs", () => {
    expect(build([span("a"), span("a"), span("b", "a")], [log("x", "a")])).toBe(
      "a[x](b),a missing 0",
    );
  });

  test("bounds the depth and keeps every span of a chain of 20,000", () => {
    const spans = Array.from({ length: 20_000 }, (_, index) =>
      span(`s${index}`, index === 0 ? "" : `s${index - 1}`),
    );
    const tree = buildTraceTree(TRACE_ID, spans, []);
    let level = tree.spans;
    let depth = 0;
    let count = 0;
    while (level.length > 0) {
      depth++;
      count += level.length;
      level = level.flatMap(({ children }) => children);
    }
    expect({ depth, count }).toEqual({ depth: TRACE_DEPTH_MAX, count: 20_000 });
    expect(() => JSON.stringify(tree)).not.toThrow();
  });
});
