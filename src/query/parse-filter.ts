/**
 * Filters, by recursive descent:
 *
 *     either = all { "OR" all }
 *     all    = term { ["AND"] term }
 *     term   = ("NOT" | "-" | "!") term | "(" either ")" | field | regex | text
 *
 * What follows a field's name is in parse-field.ts.
 */
import type { Filter } from "../core/filter.ts";
import { checkSearchable, readField } from "./fields.ts";
import { allOf, anyOf, not } from "./filter-tree.ts";
import { Scanner } from "./lexer.ts";
import { parseFieldTest, readOperator } from "./parse-field.ts";
import { isWildcard, readTextMatch } from "./text-match.ts";

/**
 * Reads a filter. An empty text is every record.
 *
 * Errors: `QUERY_SYNTAX` with the position, also for a pipe: a filter has none.
 */
export function parseFilter(text: string): Filter {
  const scanner = new Scanner(text);
  const filter = readFilter(scanner);
  if (scanner.startsWith("|")) {
    throw scanner.error("a filter takes no pipes here: give the whole query to `dora logs query`");
  }
  return filter;
}

/** Reads a filter up to the end or the first pipe; nothing there is every record. */
export function readFilter(scanner: Scanner): Filter {
  scanner.skipSpace();
  if (scanner.isAtEnd || scanner.startsWith("|")) return { kind: "all" };
  const filter = parseEither(scanner, 0);
  if (scanner.startsWith(")")) {
    throw scanner.error('this ")" closes nothing: leave it out, or add "(" before');
  }
  return filter;
}

function parseEither(scanner: Scanner, depth: number): Filter {
  const parts = [parseAll(scanner, depth)];
  while (scanner.acceptKeyword("OR")) parts.push(parseAll(scanner, depth));
  return anyOf(parts);
}

function parseAll(scanner: Scanner, depth: number): Filter {
  const parts = [parseTerm(scanner, depth)];
  for (;;) {
    scanner.skipSpace();
    const isJoined = scanner.acceptKeyword("AND");
    if (!isJoined && isEndOfTerms(scanner)) return allOf(parts);
    parts.push(parseTerm(scanner, depth));
  }
}

function isEndOfTerms(scanner: Scanner): boolean {
  if (scanner.isAtEnd || scanner.peekKeyword() === "OR") return true;
  return scanner.startsWith(")") || scanner.startsWith("|");
}

function parseTerm(scanner: Scanner, depth: number): Filter {
  scanner.skipSpace();
  scanner.checkNesting(depth);
  refuseMissingTerm(scanner);
  if (scanner.acceptKeyword("NOT")) return not(parseTerm(scanner, depth + 1));
  if (scanner.accept("(")) return parseGroup(scanner, depth + 1);
  if (scanner.startsWith("/")) return { kind: "text", match: readRegexMatch(scanner) };
  const field = parseField(scanner, depth);
  if (field !== undefined) return field;
  if (scanner.startsWith("-") || scanner.startsWith("!")) return parseNegation(scanner, depth);
  return parseText(scanner);
}

function readRegexMatch(scanner: Scanner): Extract<Filter, { kind: "text" }>["match"] {
  const { source, anyCase } = scanner.readRegex();
  return { kind: "regex", source, anyCase };
}

function refuseMissingTerm(scanner: Scanner): void {
  const keyword = scanner.peekKeyword();
  if (keyword === "AND" || keyword === "OR") {
    throw scanner.error(
      `a term is missing before "${keyword}": to search for the word itself, write "${keyword.toLowerCase()}" in quotes`,
    );
  }
  if (scanner.isAtEnd || scanner.startsWith("|") || scanner.startsWith(")")) {
    throw scanner.error("a term is missing here: a word, a quoted text, or FIELD:VALUE");
  }
  if (scanner.startsWith("&&")) throw scanner.error("write AND, or nothing, for both");
  const operator = scanner.read(/[:=<>]+|!=/y);
  if (operator === undefined) return;
  scanner.position -= operator.length;
  throw scanner.error(
    `a field's name is missing before "${operator}": to search for the text itself, put it in quotes`,
  );
}

function parseGroup(scanner: Scanner, depth: number): Filter {
  const opening = scanner.position - 1;
  scanner.skipSpace();
  if (scanner.startsWith(")")) {
    throw scanner.error(
      "there is nothing in these parentheses: to search for the text itself, put it in quotes",
      opening,
    );
  }
  const filter = parseEither(scanner, depth);
  if (!scanner.accept(")")) throw scanner.error('this "(" is never closed: add ")"', opening);
  return filter;
}

/** `name` and an operator, or nothing: then the scanner stands where it stood. */
function parseField(scanner: Scanner, depth: number): Filter | undefined {
  const start = scanner.position;
  if (!/["A-Za-z_]/.test(scanner.text[start])) return undefined;
  // A quoted text is a name only where an operator follows; its escapes are those of texts.
  const field = scanner.startsWith('""') ? undefined : readField(scanner);
  const operator = field === undefined ? undefined : readOperator(scanner);
  if (field === undefined || operator === undefined) {
    scanner.position = start;
    return undefined;
  }
  checkSearchable(scanner, field);
  return parseFieldTest(scanner, { field, operator, depth });
}

function parseNegation(scanner: Scanner, depth: number): Filter {
  const sign = scanner.text[scanner.position++];
  const next = scanner.text[scanner.position] ?? " ";
  if (/[\s)|]/.test(next)) {
    throw scanner.error(
      `put "${sign}" right before the term that must not match, or in quotes to search for it`,
      scanner.position - 1,
    );
  }
  if (next === "-" || next === "!") {
    throw scanner.error(
      `one "${sign}" negates; to search for a text that begins so, put it in quotes`,
    );
  }
  return not(parseTerm(scanner, depth + 1));
}

function parseText(scanner: Scanner): Filter {
  const position = scanner.position;
  const value = { pieces: scanner.readPieces(false), position };
  if (isWildcard(value)) return { kind: "all" };
  return { kind: "text", match: readTextMatch(scanner, value) };
}
