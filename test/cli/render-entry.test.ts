import { expect, test } from "vitest";
import type { Piece } from "../../src/cli/output.ts";
import { renderEntry } from "../../src/cli/render-entry.ts";

function plain(lines: readonly (readonly Piece[])[]): string[] {
  return lines.map((line) =>
    line.map((piece) => (typeof piece === "string" ? piece : piece.text)).join(""),
  );
}

const ENTRY = {
  timestamp: "2025-01-07T20:34:06.298518Z",
  level: "ERROR",
  node: "Node B",
  message: "Connection timeout.",
};

test("a record is a line as in the picture", () => {
  expect(plain(renderEntry(ENTRY))).toEqual([
    "[2025-01-07T20:34:06.298518Z] [ERROR] [Node B] Connection timeout.",
  ]);
});

test("a time in nanoseconds is shown with six digits, cut and not rounded (TIME-003)", () => {
  const [line] = plain(renderEntry({ ...ENTRY, timestamp: "2025-01-07T20:34:06.298518999Z" }));
  expect(line).toMatch(/^\[2025-01-07T20:34:06\.298518Z\]/);
});

test('a record of no known node shows "-"', () => {
  expect(plain(renderEntry({ ...ENTRY, node: "" }))[0]).toContain("[ERROR] [-] Connection");
});

test("further lines of a message are set in, so that none passes for a record", () => {
  const forged = "[2025-01-07T20:34:06.298518Z] [INFO] [Node A] all is well";
  const message = `Traceback\n\tat main\r\n${forged}\n\n`;
  expect(plain(renderEntry({ ...ENTRY, message })).slice(1)).toEqual([
    "        at main",
    `    ${forged}`,
  ]);
});
