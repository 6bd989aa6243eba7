import type { FieldTest } from "../../core/filter.ts";
import { foldCase, isWordUnit } from "../../core/text-fold.ts";
import { compileTextMatch } from "../text-matcher.ts";
import type { TextMatcher } from "../text-matcher.ts";
import type { ClauseTemplates } from "./clause-dictionary.ts";
import { ANY_MARK, DIGITS_MARK, MARKS_END } from "./clause-marks.ts";
import type { TemplateNeedle } from "./template-search.ts";
import { EVERY_ROW, NO_ROW, searchTemplates, SOME_ROWS } from "./template-search.ts";
import { attributeTexts } from "./template-texts.ts";

/** What is known of the string values of a template with slots. */
interface StringVerdict {
  readonly verdict: number;
  /** Bytes that one of its slots holds wherever the value passes. */
  readonly literal?: Uint8Array;
}

/** Judges a template by its number and its value's text, with marks where slots are. */
export type StringJudge = (template: number, text: string) => StringVerdict;

/** What a test of strings says of templates; made for the templates of a segment. */
export function compileStringJudge(test: FieldTest): (templates: ClauseTemplates) => StringJudge {
  switch (test.op) {
    case "exists":
      return () => () => ({ verdict: EVERY_ROW });
    case "compare":
      return () => (_, text) => ({ verdict: MAY_BE_NUMBER.test(text) ? SOME_ROWS : NO_ROW });
    case "equals":
      return () => (_, text) => judgeEqual(text, test);
    case "glob": {
      const needle = globNeedle(test.anyCase ? foldCase(test.pattern) : test.pattern);
      return needle === undefined
        ? () => () => ({ verdict: SOME_ROWS })
        : (templates) => requiring([needle], test.anyCase, templates);
    }
    case "contains":
      return judgeContains(compileTextMatch(test.match));
  }
}

/** All that a number's text can hold, and marks. */
// oxlint-disable-next-line no-control-regex -- marks are control characters
const MAY_BE_NUMBER = /^[\s+\-.eE\u0000-\u0002]*$/;

function judgeEqual(
  template: string,
  { text, anyCase }: { readonly text: string; readonly anyCase: boolean },
): StringVerdict {
  const slots = anyCase ? slotsOf(foldCase(template), foldCase(text)) : slotsOf(template, text);
  if (slots === undefined) return { verdict: NO_ROW };
  // In any case only digits stand in the slot as they are asked for.
  const literals = anyCase ? slots.flatMap((slot) => slot.match(/[0-9]+/g) ?? []) : slots;
  const longest = literals.reduce((best, slot) => (slot.length > best.length ? slot : best), "");
  // What is no UTF-8 in the slot is read as this character.
  if (longest.length < LITERAL_LENGTH_MIN || longest.includes("\ufffd")) {
    return { verdict: SOME_ROWS };
  }
  return { verdict: SOME_ROWS, literal: new TextEncoder().encode(longest) };
}

/** Shorter ones are found nearly everywhere. */
const LITERAL_LENGTH_MIN = 2;

/**
 * What the slots of a template hold where its value is `text`; undefined where it cannot be that.
 * Runs of digits and mixed words stand in slots whole, so there is one way at the most.
 */
function slotsOf(template: string, text: string): readonly string[] | undefined {
  const slots: string[] = [];
  let at = 0;
  for (let index = 0; index < template.length; index++) {
    const unit = template.charCodeAt(index);
    if (unit >= MARKS_END) {
      if (text.charCodeAt(at++) !== unit) return undefined;
      continue;
    }
    if (unit === ANY_MARK) return [];
    const start = at;
    const isPart = unit === DIGITS_MARK ? isDigit : isWordUnit;
    while (at < text.length && isPart(text.charCodeAt(at))) at += 1;
    if (at === start) return undefined;
    slots.push(text.slice(start, at));
  }
  return at === text.length ? slots : undefined;
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

/** The longest piece of a pattern; undefined where it has none. */
function globNeedle(pattern: string): TemplateNeedle | undefined {
  const pieces = pattern.split("*");
  const text = pieces.reduce((best, piece) => (piece.length > best.length ? piece : best), "");
  if (text === "") return undefined;
  const index = pieces.indexOf(text);
  return {
    text,
    needsLeftBoundary: false,
    needsRightBoundary: false,
    fromStart: index === 0,
    toEnd: index === pieces.length - 1,
  };
}

/** `SOME_ROWS` where all needles may stand in the value. */
function requiring(
  needles: readonly TemplateNeedle[],
  anyCase: boolean,
  templates: ClauseTemplates,
): StringJudge {
  const verdicts = searchAll(needles, anyCase, templates);
  return (id) => ({
    verdict: verdicts.every((ofTemplates) => ofTemplates[id] !== NO_ROW) ? SOME_ROWS : NO_ROW,
  });
}

function searchAll(
  needles: readonly TemplateNeedle[],
  anyCase: boolean,
  templates: ClauseTemplates,
): readonly Uint8Array[] {
  const texts = attributeTexts.of(templates);
  const searched = anyCase ? texts.folded() : texts;
  return needles.map((needle) => searchTemplates(needle, templates, searched));
}

function judgeContains(matcher: TextMatcher): (templates: ClauseTemplates) => StringJudge {
  const { needle, required, anyCase } = matcher;
  const needles = required.map((text): TemplateNeedle => ({
    text: anyCase ? foldCase(text) : text,
    needsLeftBoundary: needle?.needsLeftBoundary ?? false,
    needsRightBoundary: needle?.needsRightBoundary ?? false,
    fromStart: false,
    toEnd: false,
  }));
  if (needle === undefined) return (templates) => requiring(needles, anyCase, templates);
  const literal = longestDigits(needles[0].text);
  return (templates) => {
    const [verdicts] = searchAll(needles, anyCase, templates);
    return (id) => ({ verdict: verdicts[id], ...(literal === undefined ? {} : { literal }) });
  };
}

function longestDigits(text: string): Uint8Array | undefined {
  const runs = text.match(/[0-9]+/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), "");
  return longest.length < LITERAL_LENGTH_MIN ? undefined : new TextEncoder().encode(longest);
}
