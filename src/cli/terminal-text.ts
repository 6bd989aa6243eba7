/**
 * What may not reach a terminal as it is: it would move the cursor, set the clipboard or the title,
 * turn the reading order round, or not be seen at all.
 *
 * C0 and C1 controls with DEL and ESC; marks of reading order; characters without width; separators
 * of lines that are not "\n"; interlinear marks; tags; halves of surrogate pairs.
 */
const UNSAFE =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]/gu;

/** The same, and "\n" and "\t". */
const UNSAFE_IN_LINE = new RegExp(`[\\n\\t]|${UNSAFE.source}`, "gu");

/**
 * Remote text made safe for a terminal: what is in `UNSAFE` is shown as `\u001b`, all else,
 * "\n" and "\t" too, stays (SEC-009).
 *
 * Units:  the form is that of JSON, four digits a UTF-16 unit, so that cleaned JSON is the same JSON.
 * Source: CVE-2021-25743 for what happens without.
 */
export function cleanText(text: string): string {
  return text.replaceAll(UNSAFE, escapeUnits);
}

/** `cleanText` for what must stay on one line: "\n" and "\t" are shown as `\n` and `\t`. */
export function cleanLine(text: string): string {
  return text.replaceAll(UNSAFE_IN_LINE, (character) => {
    if (character === "\n") return String.raw`\n`;
    return character === "\t" ? String.raw`\t` : escapeUnits(character);
  });
}

function escapeUnits(character: string): string {
  let escaped = "";
  for (let index = 0; index < character.length; index++) {
    escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }
  return escaped;
}

/** Takes two cells of a terminal: East Asian wide and full-width characters, and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const COMBINING = /^\p{M}$/u;

/** Cells that a cleaned line takes on a terminal. */
export function displayWidth(line: string): number {
  let width = 0;
  for (const character of line) {
    if (WIDE.test(character)) width += 2;
    else if (!COMBINING.test(character)) width += 1;
  }
  return width;
}
