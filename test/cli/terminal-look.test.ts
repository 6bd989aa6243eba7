import { describe, expect, test } from "vitest";
import { terminalLook } from "../../src/cli/terminal-look.ts";

const TERMINAL = { isTTY: true };
const ESCAPE = "\u001b[";

test.each([
  ["a pipe", { isTTY: false }, {}],
  ["a terminal with NO_COLOR", TERMINAL, { NO_COLOR: "1" }],
  ["a terminal that is dumb", TERMINAL, { TERM: "dumb" }],
])("%s gets no colour", (_, stream, environment) => {
  const { paint } = terminalLook(stream, environment);
  expect(paint("x", "error") + paint("x", { node: "camera" })).toBe("xx");
});

describe("on a terminal", () => {
  const { paint } = terminalLook(TERMINAL, { TERM: "xterm", NO_COLOR: "" });

  test("levels and nodes have colours", () => {
    expect(paint("x", "error")).toContain(ESCAPE);
    expect(paint("x", { node: "camera" })).toContain(ESCAPE);
  });

  test("a node has the same colour each time, and not all nodes have one", () => {
    const colours = ["camera", "detector", "planner", "lidar", "arm", "camera"].map((node) =>
      paint("x", { node }),
    );
    expect(colours.at(-1)).toBe(colours[0]);
    expect(new Set(colours).size).toBeGreaterThan(2);
  });
});

test.each([
  [{}, "├─ "],
  [{ LANG: "en_US.UTF-8" }, "├─ "],
  [{ LANG: "de_DE.utf8" }, "├─ "],
  [{ LANG: "C" }, "|- "],
  [{ LANG: "de_DE.ISO-8859-1" }, "|- "],
  [{ LANG: "en_US.UTF-8", LC_ALL: "POSIX" }, "|- "],
  [{ LANG: "C", LC_CTYPE: "C.UTF-8" }, "├─ "],
])("a locale that is not UTF-8 gets stand-ins for icons: %j", (environment, branch) => {
  expect(terminalLook(TERMINAL, environment).icons.branch).toBe(branch);
});

test("stand-ins are ASCII", () => {
  const { icons } = terminalLook(TERMINAL, { LANG: "C" });
  // oxlint-disable-next-line no-control-regex
  expect(Object.values(icons).join("")).toMatch(/^[\u0000-\u007f]+$/);
});
