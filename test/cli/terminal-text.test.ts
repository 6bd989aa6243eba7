import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cleanLine, cleanText, displayWidth } from "../../src/cli/terminal-text.ts";

describe("text from elsewhere cannot command a terminal (SEC-009)", () => {
  test.each([
    ["clears the screen", "a\u001b[2Jb", String.raw`a\u001b[2Jb`],
    ["moves the cursor", "\u001b[1;1H", String.raw`\u001b[1;1H`],
    ["sets the clipboard", "\u001b]52;c;cm0gLXJm\u0007", String.raw`\u001b]52;c;cm0gLXJm\u0007`],
    ["sets the title", "\u001b]0;root\u001b\\", `\\u001b]0;root\\u001b\\`],
    ["makes a link", "\u001b]8;;http://x\u001b\\y", `\\u001b]8;;http://x\\u001b\\y`],
    ["starts a sequence in C1", "\u009b2J\u009d0;x\u009c", String.raw`\u009b2J\u009d0;x\u009c`],
    ["overwrites the line", "fine\rERROR", String.raw`fine\u000dERROR`],
    ["rubs out", "secret\b\b\u007f", String.raw`secret\u0008\u0008\u007f`],
    ["rings and asks", "\u0005\u0007\u0000", String.raw`\u0005\u0007\u0000`],
    ["turns the reading order", "a\u202etxt.exe\u202c", String.raw`a\u202etxt.exe\u202c`],
    ["isolates", "\u2066x\u2069\u061c\u200f", String.raw`\u2066x\u2069\u061c\u200f`],
    ["hides", "ad\u200bmin\ufeff\u00ad\u2060", String.raw`ad\u200bmin\ufeff\u00ad\u2060`],
    ["breaks a line elsewhere", "a\u2028b\u2029c\u0085", String.raw`a\u2028b\u2029c\u0085`],
    ["hides in tags", "\u{e0041}", String.raw`\udb40\udc41`],
    ["is half a character", "\ud800x", String.raw`\ud800x`],
  ])("what %s is shown, not done", (_, text, shown) => {
    expect(cleanText(text)).toBe(shown);
  });

  test("line ends, tabs, letters of all scripts and emoji stay as they are", () => {
    const text = "a\tb\nZürich 東京 ελληνικά עברית 🚀 \\u001b";
    expect(cleanText(text)).toBe(text);
  });

  test("a line stays one line", () => {
    expect(cleanLine("a\nb\tc\u001b")).toBe(String.raw`a\nb\tc\u001b`);
  });

  const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
  const anyText = fc.array(unit).map((units) => units.join(""));

  test("whatever comes, nothing but printable text, line ends and tabs is left", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(cleanText(text)).not.toMatch(/[^\P{C}\n\t\p{Cn}\p{Co}]/u);
      }),
    );
  });

  test("cleaned JSON is the same JSON", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(JSON.parse(cleanText(JSON.stringify({ text })))).toEqual({ text });
      }),
    );
  });
});

test("wide characters take two cells, combining marks none", () => {
  expect(displayWidth("ab")).toBe(2);
  expect(displayWidth("東京")).toBe(4);
  expect(displayWidth("e\u0301")).toBe(1);
  expect(displayWidth("🚀")).toBe(2);
});
