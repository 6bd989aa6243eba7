import { describe, expect, test } from "vitest";
import type { Piece } from "../../src/cli/output.ts";
import { renderTrace } from "../../src/cli/render-trace.ts";
import { terminalLook } from "../../src/cli/terminal-look.ts";
import { readTraceAnswer } from "../../src/cli/trace-answer.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const UTF8 = terminalLook({}, { LANG: "C.UTF-8" }).icons;

function at(milliseconds: number): string {
  const microseconds = 298_518 + Math.round(milliseconds * 1000);
  return `2025-01-07T20:34:06.${String(microseconds).padStart(6, "0")}Z`;
}

function span(node: string, name: string, times: readonly [number, number], more: object): object {
  const [fromMs, tookMs] = times;
  return { node, name, timestamp: at(fromMs), duration_ns: tookMs * 1e6, status: "unset", ...more };
}

function log(node: string, level: string, atMs: number, message: string): object {
  return { timestamp: at(atMs), level, node, message };
}

const TRACE = {
  trace_id: TRACE_ID,
  spans: [
    span("camera", "capture", [0, 128.4], {
      children: [
        span("detector", "detect", [1, 98.1], {
          status: "error",
          status_message: "timed out",
          children: [span("planner", "plan", [20, 3.2], { status: "ok" })],
          logs: [log("detector", "ERROR", 12.1, "Inference timed out.\n\tat npu0")],
        }),
      ],
      logs: [log("camera", "INFO", 0.2, "frame captured"), log("camera", "WARN", 110, "late")],
    }),
  ],
  logs: [],
  missing_parents: 0,
  status: "complete",
  reasons: [],
};

function text(answer: unknown, icons = UTF8): string {
  const plain = (piece: Piece): string => (typeof piece === "string" ? piece : piece.text);
  return renderTrace(readTraceAnswer(answer), icons)
    .map((line) => line.map(plain).join(""))
    .join("\n");
}

test("a trace is a tree of spans, with its logs between them at their times", () => {
  expect(text(TRACE)).toBe(
    [
      `Trace ${TRACE_ID}`,
      "from 2025-01-07T20:34:06.298518Z, 128.4 ms: 3 spans of 3 nodes, 3 log records",
      "",
      "    +0.0 ms  [camera] capture 128.4 ms",
      "    +0.2 ms  ├─ [INFO] [camera] frame captured",
      "    +1.0 ms  ├─ [detector] detect 98.1 ms ❌ timed out",
      "   +12.1 ms  │  ├─ [ERROR] [detector] Inference timed out.",
      "             │  │        at npu0",
      "   +20.0 ms  │  └─ [planner] plan 3.2 ms ✔",
      "  +110.0 ms  └─ [WARN] [camera] late",
    ].join("\n"),
  );
});

test("a locale without UTF-8 gets the same tree in ASCII", () => {
  const ascii = text(TRACE, terminalLook({}, { LANG: "C" }).icons);
  // oxlint-disable-next-line no-control-regex
  expect(ascii).toMatch(/^[\u0000-\u007f]*$/);
  expect(ascii).toContain("|- [detector] detect 98.1 ms [failed] timed out");
});

describe("what is missing is said:", () => {
  test("spans whose parents are not stored", () => {
    const orphan = span("planner", "plan", [5, 1], { parent_span_id: "00f067aa0ba902b7" });
    const answer = { ...TRACE, spans: [...TRACE.spans, orphan], missing_parents: 1 };
    expect(text(answer)).toContain("1 span stands at the top because its parent is not stored");
    expect(text(answer)).toContain("\n    +5.0 ms  [planner] plan 1.0 ms");
  });

  test("a partial answer", () => {
    expect(text({ ...TRACE, status: "partial" })).toContain("3 log records (partial)");
  });

  test("logs of no known span, at their time among the spans", () => {
    const loose = [log("arm", "INFO", 130, "stopped")];
    expect(text({ ...TRACE, logs: loose })).toMatch(/\+130\.0 ms {2}\[INFO\] \[arm\] stopped$/);
  });
});

test("an answer with missing or wrong fields is shown as far as it goes", () => {
  expect(text({ trace_id: 7, spans: [{ children: "none", logs: [null] }] })).toContain("[-]");
});

test("a trace of very many levels is shown without running out of stack or width", () => {
  let deep: object = span("n", "leaf", [0, 1], {});
  for (let level = 0; level < 5000; level++) deep = span("n", "s", [0, 1], { children: [deep] });
  const lines = text({ ...TRACE, spans: [deep] }).split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(200);
});
