import { isAscii } from "node:buffer";
import { decodeText } from "../../wire/any-value-decode.ts";
import type { BytesColumn } from "../block.ts";
import { searchColumn } from "../byte-search.ts";
import type { TextMatcher } from "../text-matcher.ts";
import type { ClauseColumn } from "./clause-column.ts";
import { VALUE_TEMPLATE } from "./clause-marks.ts";
import { clauseTexts } from "./clause-texts.ts";
import { NO_ROW } from "./template-search.ts";

/** Its values are no texts of clauses: the row is to be tested as a whole. */
export const ODD_ROW = 2;

/**
 * Looks for matches that lie within one clause of a text, template by template: in all clauses of a part
 * at once, so that no row is put together.
 *
 * Shape: 1 for each row that has a match in a clause of a template that `wanted` names (not
 * `NO_ROW`), `ODD_ROW` for each whose value is no text.
 */
export function findInParts(
  column: ClauseColumn,
  matcher: TextMatcher,
  wanted: Uint8Array,
): Uint8Array {
  const found = new Uint8Array(column.rows);
  const { partTemplates, partFirsts } = column.source.directory();
  const templates = column.source.templates();
  const rowsOf = column.rowsOfFew();
  for (const [index, template] of partTemplates.entries()) {
    if (template === VALUE_TEMPLATE || wanted[template] === NO_ROW) continue;
    const part = column.part(index, "scan");
    for (const { first, texts } of clauseTexts(templates, template, part)) {
      forEachMatch(matcher, texts, (clause) => {
        found[rowsOf(template)[partFirsts[index] + first + clause]] = 1;
      });
    }
  }
  if (column.source.directory().firstPart(VALUE_TEMPLATE) >= 0) {
    for (const row of rowsOf(VALUE_TEMPLATE)) found[row] = ODD_ROW;
  }
  return found;
}

/** Visits each text that matches. */
function forEachMatch(
  matcher: TextMatcher,
  texts: BytesColumn,
  visit: (index: number) => void,
): void {
  const { needle, pattern } = matcher;
  if (needle !== undefined) {
    const { hits, unsure } = searchColumn(texts, needle, true);
    for (let index = hits.indexOf(1); index >= 0; index = hits.indexOf(1, index + 1)) visit(index);
    for (const [index, isUnsure] of unsure?.entries() ?? []) {
      if (isUnsure === 1 && hits[index] === 0 && testAt(matcher, texts, index)) visit(index);
    }
  } else if (pattern !== undefined && isAscii(bytesOf(texts))) {
    matchPattern(pattern, texts, visit);
  } else {
    for (let index = 0; index < texts.starts.length; index++) {
      if (testAt(matcher, texts, index)) visit(index);
    }
  }
}

function testAt(matcher: TextMatcher, { data, starts, ends }: BytesColumn, index: number): boolean {
  return matcher.test(decodeText(data, starts[index], ends[index]));
}

function bytesOf({ data, starts, ends }: BytesColumn): Buffer {
  const length = ends[ends.length - 1] - starts[0];
  return Buffer.from(data.buffer, data.byteOffset + starts[0], length);
}

/** One search over texts of ASCII; no match holds the newline that stands between two of them. */
function matchPattern(pattern: RegExp, texts: BytesColumn, visit: (index: number) => void): void {
  const { starts, ends } = texts;
  const joined = bytesOf(texts).toString("latin1");
  const base = starts[0];
  let index = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(joined); match !== null; match = pattern.exec(joined)) {
    const start = base + match.index;
    while (ends[index] <= start) index += 1;
    visit(index);
    pattern.lastIndex = ends[index] - base;
  }
}
