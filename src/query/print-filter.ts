import type { FieldRef, FieldTest, Filter, TextMatch } from "../core/filter.ts";
import { SEVERITY_BANDS } from "../core/severity.ts";
import { isWordUnit } from "../core/text-fold.ts";
import { printField, quote } from "./fields.ts";
import { escapeRegex } from "./text-match.ts";

/**
 * A filter in the query language. Reading it gives an equal tree, for every tree that a parser of
 * the language makes; other trees (of a second parser) give one that matches the same records.
 */
export function printFilter(filter: Filter): string {
  switch (filter.kind) {
    case "all":
      return "*";
    case "none":
      return "NOT *";
    case "and":
      return filter.of
        .map((part) => (part.kind === "or" ? group(part) : printFilter(part)))
        .join(" ");
    case "or":
      return filter.of.map(printFilter).join(" OR ");
    case "not":
      return `NOT ${filter.of.kind === "and" || filter.of.kind === "or" ? group(filter.of) : printFilter(filter.of)}`;
    case "text":
      return printTextMatch(filter.match);
    case "severity":
      return printSeverity(filter.min, filter.max);
    case "field":
      return printFieldTest(filter.field, filter.test);
  }
}

function group(filter: Filter): string {
  return `(${printFilter(filter)})`;
}

function printTextMatch(match: TextMatch): string {
  if (match.kind === "regex") return printRegex(match.source, match.anyCase);
  const { text, anyCase } = match;
  const isWord = /^[A-Za-z0-9_]+$/.test(text) && anyCase && !isKeyword(text);
  const start = !match.startsAtWord && isWordUnit(text.charCodeAt(0)) ? "*" : "";
  const end = !match.endsAtWord && isWordUnit(text.charCodeAt(text.length - 1)) ? "*" : "";
  return start + (isWord ? text : quoteFor(text, anyCase)) + end;
}

function quoteFor(text: string, anyCase: boolean): string {
  return quote(text, anyCase ? '"' : "'");
}

function isKeyword(text: string): boolean {
  return text === "AND" || text === "OR" || text === "NOT";
}

/** Slashes outside an escape end the expression, so they get one. */
function printRegex(source: string, anyCase: boolean): string {
  const escaped = source.replaceAll(/\\[^]|\//g, (part) => (part === "/" ? "\\/" : part));
  return `/${escaped}/${anyCase ? "i" : ""}`;
}

function printSeverity(min: number, max: number): string {
  if (max === 0) return "level:unspecified";
  if (min === 0) return `(level:unspecified OR ${printSeverity(1, max)})`;
  const starting = SEVERITY_BANDS.find((band) => band.min === min);
  if (starting?.max === max) return `level:${starting.name.toLowerCase()}`;
  if (min === max) return `level:${min}`;
  if (max === 24) return `level>=${starting?.name.toLowerCase() ?? min}`;
  if (min > 1) return `level:[${min} TO ${max}]`;
  const ending = SEVERITY_BANDS.find((band) => band.max === max);
  return `level<=${ending?.name.toLowerCase() ?? max}`;
}

function printFieldTest(field: FieldRef, test: FieldTest): string {
  const name = printField(field);
  switch (test.op) {
    case "exists":
      return `${name}:*`;
    case "compare":
      return `${name}${test.comparison}${test.value}`;
    case "equals":
      return printEquals(field, test.text, test.anyCase);
    case "glob":
      if (field.target === "message")
        return `${name}:${printGlobAsRegex(test.pattern, test.anyCase)}`;
      return `${name}:${printGlob(test.pattern, test.anyCase)}`;
    case "contains":
      if (field.target === "message") return `${name}:${printTextMatch(test.match)}`;
      return `${name}:${printContains(test.match)}`;
  }
}

function printEquals(field: FieldRef, text: string, anyCase: boolean): string {
  const name = printField(field);
  const isPlain = /^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/.test(text);
  if (!anyCase) return `${name}=${isPlain ? text : quote(text, "'")}`;
  // For the message, ":" asks for a word, so the whole text takes a regular expression.
  if (field.target === "message") return `${name}:/\\A${printable(text)}\\z/i`;
  return `${name}:${isPlain ? text : quote(text, '"')}`;
}

/** Stars stay bare, what stands between them is quoted where it has to be. */
function printGlob(pattern: string, anyCase: boolean): string {
  return pattern
    .split("*")
    .map((part) => {
      if (part === "") return "";
      return anyCase && /^[A-Za-z0-9_.-]+$/.test(part) ? part : quoteFor(part, anyCase);
    })
    .join("*");
}

function printGlobAsRegex(pattern: string, anyCase: boolean): string {
  const source = pattern.split("*").map(printable).join(".*");
  return `/(?s)\\A${source}\\z/${anyCase ? "i" : ""}`;
}

/** A text inside an attribute has no form of its own, a regular expression says the same. */
function printContains(match: TextMatch): string {
  if (match.kind === "regex") return printRegex(match.source, match.anyCase);
  const edge = "[^0-9A-Za-z_\\x{80}-\\x{10FFFF}]";
  const { text } = match;
  const start = match.startsAtWord && isWordUnit(text.charCodeAt(0)) ? `(?:\\A|${edge})` : "";
  const isWordEnd = match.endsAtWord && isWordUnit(text.charCodeAt(text.length - 1));
  const end = isWordEnd ? `(?:\\z|${edge})` : "";
  return `/${start}${printable(text)}${end}/${match.anyCase ? "i" : ""}`;
}

/** A text as a regular expression between slashes. */
function printable(text: string): string {
  return escapeRegex(text).replaceAll("/", "\\/");
}
