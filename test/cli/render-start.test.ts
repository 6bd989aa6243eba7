/** Each picture that users were shown, as a pipe gets it, from the events that make it. */
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import type { ViewLine } from "../../src/cli/live-lines.ts";
import type { Piece } from "../../src/cli/output.ts";
import { Output } from "../../src/cli/output.ts";
import type { FailureContext } from "../../src/cli/render-failure.ts";
import { renderBuildFailure, renderFailure } from "../../src/cli/render-failure.ts";
import { renderStart } from "../../src/cli/render-start.ts";
import type { StartPlan, StartProgress } from "../../src/cli/start-progress.ts";
import { advance, beginProgress, isSettled } from "../../src/cli/start-progress.ts";
import { terminalLook } from "../../src/cli/terminal-look.ts";
import type { NodeEnd, RuntimeEvent } from "../../src/runtime/protocol/status.ts";

const { icons } = terminalLook({}, { LANG: "C.UTF-8" });

type Body = RuntimeEvent extends infer Event
  ? Event extends unknown
    ? Omit<Event, "atUnixMs" | "dataflow">
    : never
  : never;

const END: NodeEnd = {
  exitCode: 1,
  signal: null,
  message: "exit code 1",
  lastStderr: [],
  atUnixMs: 0,
};

/** Names are `Node A` for `a`; links go from each node to the one behind it. */
function planOf(ids: string, links: readonly string[] = []): StartPlan {
  return {
    nodes: ids.split("").map((id) => ({ id, name: `Node ${id.toUpperCase()}`, isDynamic: false })),
    links: links.map((link) => {
      const [source, output, target, input] = link.split(/[/>]/);
      const ends = { source: { node: source, output }, target: { node: target, input } };
      return { link: `${source}/${output}->${target}/${input}`, ...ends };
    }),
    isWithBuild: true,
  };
}

function after(plan: StartPlan, events: readonly Body[]): StartProgress {
  return events.reduce<StartProgress>(
    (progress, event) => advance(progress, { atUnixMs: 0, dataflow: "0190", ...event }, 1000),
    beginProgress(plan),
  );
}

function build(
  node: string,
  state: "building" | "done" | "failed",
  [linesDone, linesTotal]: readonly [number, number],
  elapsedMs: number,
): Extract<Body, { readonly type: "build" }> {
  return { type: "build", node, state, linesDone, linesTotal, command: "make", elapsedMs };
}

function text(lines: readonly (readonly Piece[])[]): string {
  return lines
    .map((pieces) =>
      pieces.map((piece) => (typeof piece === "string" ? piece : piece.text)).join(""),
    )
    .join("\n");
}

function shown(progress: StartProgress, nowMs = 1000, isAnimated = false): string {
  return text(
    renderStart(progress, { icons, nowMs, isAnimated }).map(({ pieces }: ViewLine) => pieces),
  );
}

describe("dora start", () => {
  const connected = {
    type: "link",
    link: "a/out->b/in",
    state: "connected",
    elapsedMs: 300,
  } as const;

  test("a start that goes well is the picture, word for word", () => {
    const progress = after(planOf("ab", ["a/out>b/in"]), [
      { type: "dataflow", state: "building" },
      build("a", "done", [2, 2], 1200),
      { type: "dataflow", state: "starting" },
      connected,
      { type: "node", node: "a", state: "running" },
      { type: "node", node: "b", state: "running" },
      { type: "dataflow", state: "running" },
    ]);
    expect(isSettled(progress)).toBe(true);
    expect(shown(progress)).toBe(`🔧 Building nodes:
    Node A    ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓ 100% [✅ done in 1.2s]

📡 Establishing connections:
    Node A ➔ Node B  ▓▓▓▓▓▓▓▓▓▓▓▓▓ 100% [✅ done in 0.3s]

🚀 Starting dataflow:
    Node A [✔ running]
    Node B [✔ running]`);
  });

  test("the three states of a build are the picture's", () => {
    const progress = after(planOf("acd"), [
      build("a", "done", [2, 2], 1200),
      build("c", "building", [3, 10], 5000),
      build("d", "failed", [0, 1], 0),
    ]);
    expect(shown(progress)).toBe(`🔧 Building nodes:
    Node A    ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓ 100% [✅ done in 1.2s]
    Node C    ▓▓▓▓▓▓               30%  [🟡 building, 5.0s elapsed]
    Node D    ▓                    0%   [❌ Error, 0.0s elapsed]`);
  });

  test("within a build line time goes on and a cell moves, and the percentage stands", () => {
    const progress = after(planOf("c"), [build("c", "building", [1, 2], 5000)]);
    const [, before] = shown(progress, 1000, true).split("\n");
    const [, later] = shown(progress, 1400, true).split("\n");
    const cells = "▓".repeat(10);
    expect(before).toBe(`    Node C    ${cells}     ▒     50%  [🟡 building, 5.0s elapsed]`);
    expect(later).toBe(`    Node C    ${cells}       ▒   50%  [🟡 building, 5.4s elapsed]`);
  });

  test("a build that waits for its turn has no time, and one that the failure of another ended was not built", () => {
    const plan = planOf("ab");
    const waiting = after(plan, [{ type: "node", node: "b", state: "building" }]);
    expect(shown(waiting)).toContain("Node B    ▓                    0%   [🟡 waiting]");
    const over = after(plan, [
      { type: "node", node: "b", state: "building" },
      build("a", "failed", [0, 1], 100),
      { type: "dataflow", state: "failed" },
    ]);
    expect(shown(over)).toContain("Node B    ▓                    0%   [🛑 not built]");
  });

  test("after a failed build nothing is connected or started", () => {
    const progress = after(planOf("ab", ["a/out>b/in"]), [
      build("a", "failed", [0, 1], 100),
      { type: "dataflow", state: "stopping" },
      { type: "node", node: "b", state: "stopped" },
      { type: "dataflow", state: "failed" },
    ]);
    expect(shown(progress)).not.toMatch(/connections|Starting/);
  });

  test("where there is nothing to build or to connect, that is said", () => {
    const begun = after(planOf("a"), [{ type: "dataflow", state: "building" }]);
    expect(shown(begun)).toBe("🔧 Building nodes:");
    expect(
      shown(advance(begun, { atUnixMs: 0, dataflow: "", type: "dataflow", state: "running" }, 0)),
    ).toBe(`🔧 Building nodes: [✅ nothing to build]

📡 Establishing connections: [✅ nothing to connect]

🚀 Starting dataflow:
    Node A [starting]`);
    const left = beginProgress({ ...planOf("a"), isWithBuild: false });
    expect(shown(left)).toBe("🔧 Building nodes: [left out]");
  });

  test("several links between two nodes are told apart by output and input", () => {
    const progress = after(planOf("ab", ["a/left>b/l", "a/right>b/r"]), [
      { type: "link", link: "a/left->b/l", state: "connected", elapsedMs: 0 },
      { type: "link", link: "a/right->b/r", state: "connecting", elapsedMs: 0 },
    ]);
    expect(shown(progress, 1500)).toContain(
      "    Node A/left ➔ Node B/l   ▓▓▓▓▓▓▓▓▓▓▓▓▓ 100% [✅ done in 0.0s]\n" +
        "    Node A/right ➔ Node B/r  ▓             0%   [🟡 connecting, 0.5s elapsed]",
    );
  });

  test("a node that is started by hand is not waited for", () => {
    const plan = planOf("ab", ["a/out>b/in"]);
    const [a, b] = plan.nodes;
    const byHand = { ...plan, nodes: [a, { ...b, isDynamic: true }] };
    const progress = after(byHand, [
      { type: "link", link: "a/out->b/in", state: "connecting", elapsedMs: 0 },
      { type: "node", node: "a", state: "running" },
      { type: "dataflow", state: "running" },
    ]);
    expect(shown(progress)).toContain("0%   [⏳ waits for Node B]");
    expect(shown(progress)).toContain("Node B [⏳ waits to be started by hand]");
  });

  test("lines that may change are not final, and all are once the start is over", () => {
    const busy = after(planOf("ab"), [build("a", "building", [0, 1], 0)]);
    const finals = (progress: StartProgress): readonly boolean[] =>
      renderStart(progress, { icons, nowMs: 0, isAnimated: false }).map(({ isFinal }) => isFinal);
    expect(finals(busy)).toEqual([true, false]);
    for (const state of ["running", "failed", "stopped", "completed"] as const) {
      const over = after(planOf("ab", ["a/out>b/in"]), [
        { type: "dataflow", state: "starting" },
        { type: "node", node: "a", state: "starting" },
        { type: "dataflow", state },
      ]);
      expect(finals(over)).not.toContain(false);
    }
  });

  test("names cannot write to the terminal (SEC-009)", async () => {
    const plan = planOf("a");
    const name = "\u001b[2J\nfake";
    const nodes = [{ id: "a", name, isDynamic: false }];
    const progress = after({ ...plan, nodes }, [build("a", "done", [1, 1], 0)]);
    const stream = new PassThrough();
    const lines = renderStart(progress, { icons, nowMs: 0, isAnimated: false });
    await new Output(stream, {}).writeLines(lines.map(({ pieces }) => pieces));
    expect(String(stream.read()).split("\n")).toHaveLength(3);
  });
});

const CONTEXT: FailureContext = { icons, file: "flow.yml", retry: "dora build", dataflow: "flow" };

describe("a failed build", () => {
  const failed = build("c", "failed", [0, 1], 100);
  const details = "./out/build.txt";

  test("a missing dependency is the picture, word for word", () => {
    const missing = { name: "tokio", command: "cargo add tokio" };
    const progress = after(planOf("ac"), [build("a", "done", [1, 1], 1), { ...failed, missing }]);
    expect(text(renderBuildFailure(progress, { ...CONTEXT, details }))).toBe(`
🚨 Build Failed:
    ❌ Node C [failed: Missing dependency \`tokio\`]

💡 Suggested Fix:
    1. Navigate to the Node C directory.
    2. Install the missing dependency: \`cargo add tokio\`.
    3. Retry: \`dora build\`.

📄 Error details logged at: ./out/build.txt`);
  });

  test("anything else shows the last of standard error and a step that fits", () => {
    const lastStderr = Array.from({ length: 12 }, (_, index) => `line ${index}`);
    const progress = after(planOf("c"), [{ ...failed, lastStderr }]);
    const lines = text(renderBuildFailure(progress, { ...CONTEXT, details })).split("\n");
    expect(lines.slice(0, 4)).toEqual([
      "",
      "🚨 Build Failed:",
      "    ❌ Node C [failed: `make`]",
      "        line 2",
    ]);
    expect(lines.slice(12)).toEqual([
      "        line 11",
      "",
      "💡 Suggested Fix:",
      "    1. Correct what `make` of Node C complains of.",
      "    2. Retry: `dora build`.",
      "",
      "📄 Error details logged at: ./out/build.txt",
    ]);
  });

  test("several failures are all told, each with its step", () => {
    const missing = { name: "uv", command: "" };
    const progress = after(planOf("bc"), [{ ...build("b", "failed", [0, 1], 1), missing }, failed]);
    const shownText = text(renderBuildFailure(progress, { ...CONTEXT, details }));
    expect(shownText).toContain("Node B [failed: Missing dependency `uv`]");
    expect(shownText).toContain("    2. Install the missing dependency: `uv`.");
    expect(shownText).toContain("    4. Retry: `dora build`.");
  });
});

describe("a dataflow that failed", () => {
  const context = { ...CONTEXT, retry: "dora start flow.yml" };

  test("a node that misbehaves: who failed first, how, its last words, and what it took down", () => {
    const end = { ...END, message: "killed by SIGKILL", lastStderr: ["no memory"] };
    const progress = after(planOf("abc"), [
      { type: "dataflow", state: "running" },
      { type: "dataflow", state: "failed", failure: { node: "b", end, tookDown: ["c", "a"] } },
    ]);
    expect(text(renderFailure(progress, context))).toBe(`
🚨 Dataflow Failed:
    ❌ Node B [failed first: killed by SIGKILL]
        no memory
    🛑 Node C, Node A [ended because of it]

💡 Suggested Fix:
    1. See what Node B logged: \`dora logs --dataflow flow --node b\`.
    2. Retry: \`dora start flow.yml\`.`);
  });

  test("a missing dependency at the start: what, and the command that brings it", () => {
    const lastStderr = ["ModuleNotFoundError: No module named 'cv2'"];
    const progress = after(planOf("ab"), [
      {
        type: "dataflow",
        state: "failed",
        failure: { node: "b", end: { ...END, lastStderr }, tookDown: ["a"] },
      },
    ]);
    const lines = text(renderFailure(progress, context)).split("\n");
    expect(lines.slice(1, 3)).toEqual([
      "🚨 Start Failed:",
      "    ❌ Node B [failed: Missing dependency `cv2`]",
    ]);
    expect(lines.slice(-4)).toEqual([
      "💡 Suggested Fix:",
      "    1. Navigate to the Node B directory.",
      "    2. Install the missing dependency: `pip install opencv-python`.",
      "    3. Retry: `dora start flow.yml`.",
    ]);
  });

  test("a fault in the file that only a look at the disk shows: all nodes that it concerns", () => {
    const end = { ...END, exitCode: null, message: "cannot be started: there is no a.js" };
    const other = { ...end, message: "cannot be started: there is no b.js" };
    const progress = after(planOf("ab"), [
      { type: "node", node: "a", state: "failed", end },
      { type: "node", node: "b", state: "failed", end: other },
      { type: "dataflow", state: "failed", failure: { node: "a", end, tookDown: [] } },
    ]);
    expect(text(renderFailure(progress, context))).toBe(`
🚨 Start Failed:
    ❌ Node A [failed: cannot be started: there is no a.js]
    ❌ Node B [failed: cannot be started: there is no b.js]

💡 Suggested Fix:
    1. Correct what \`path\` of Node A names in flow.yml.
    2. Retry: \`dora start flow.yml\`.`);
  });

  test("one of which nobody knows why is still said to have failed", () => {
    const progress = after(planOf("a"), [{ type: "dataflow", state: "failed" }]);
    expect(text(renderFailure(progress, context))).toContain("the daemon does not say why");
  });
});
