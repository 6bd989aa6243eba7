/**
 * What follows a field's name:
 *
 *     test   = ":" value | ("=" | "!=") text | ("<" | "<=" | ">" | ">=") bound
 *     value  = "(" either of values ")" | "[" bound "TO" bound "]" | regex | comparison | text
 */
import type { Comparison, Filter } from "../core/filter.ts";
import { idReader } from "./field-id.ts";
import { levelReader } from "./field-level.ts";
import type { FieldReader, RangeEnd, WrittenBound } from "./field-reader.ts";
import { textReader } from "./field-text.ts";
import type { WrittenField } from "./fields.ts";
import { allOf, anyOf, not } from "./filter-tree.ts";
import type { Scanner } from "./lexer.ts";
import type { WrittenValue } from "./text-match.ts";

type Operator = ":" | "=" | "!=" | Comparison;

/** Longer ones first: `>=` begins with `>`. */
const OPERATORS = ["!=", ">=", "<=", ":", "=", ">", "<"] as const satisfies readonly Operator[];
const COMPARISONS = [">=", "<=", ">", "<"] as const satisfies readonly Comparison[];

/** Takes the operator after a field's name, and spaces before it; or nothing. */
export function readOperator(scanner: Scanner): Operator | undefined {
  const start = scanner.position;
  scanner.skipSpace();
  // A path such as dora_daemon::coordinator is text, no field with a value.
  const operator = scanner.startsWith("::")
    ? undefined
    : OPERATORS.find((candidate) => scanner.accept(candidate));
  if (operator === undefined) scanner.position = start;
  return operator;
}

export interface FieldTestStart {
  readonly field: WrittenField;
  readonly operator: Operator;
  readonly depth: number;
}

/** Reads what follows a field's name and operator. */
export function parseFieldTest(scanner: Scanner, start: FieldTestStart): Filter {
  const { field, operator, depth } = start;
  const reader = readerOf(scanner, field);
  scanner.skipSpace();
  switch (operator) {
    case ":":
      return parseValue(scanner, { field, reader, isInList: false }, depth);
    case "=":
      return reader.equals(readPlainValue(scanner, field, operator));
    case "!=":
      return not(reader.equals(readPlainValue(scanner, field, operator)));
    case "<":
    case "<=":
    case ">":
    case ">=":
      return reader.compares(operator, readBound(scanner, field, false));
  }
}

function readerOf(scanner: Scanner, field: WrittenField): FieldReader {
  switch (field.ref.target) {
    case "level":
      return levelReader(scanner);
    case "trace_id":
      return idReader(scanner, { target: "trace_id", text: field.text, digits: 32 });
    case "span_id":
      return idReader(scanner, { target: "span_id", text: field.text, digits: 16 });
    case "message":
    case "node":
    case "dataflow":
    case "event":
    case "logger":
    case "attribute":
    case "resource":
    case "any":
      return textReader(scanner, field);
  }
}

interface ValueContext {
  readonly field: WrittenField;
  readonly reader: FieldReader;
  readonly isInList: boolean;
}

function parseValue(scanner: Scanner, context: ValueContext, depth: number): Filter {
  const { field, reader, isInList } = context;
  if (scanner.accept("(")) {
    return parseList(scanner, { ...context, isInList: true }, depth + 1);
  }
  if (scanner.startsWith("/")) return reader.matchesRegex(scanner.readRegex());
  if (scanner.startsWith("[") || scanner.startsWith("{")) return parseRange(scanner, reader);
  const comparison = COMPARISONS.find((candidate) => scanner.accept(candidate));
  if (comparison !== undefined) {
    scanner.skipSpace();
    return reader.compares(comparison, readBound(scanner, field, isInList));
  }
  return reader.matches(readValue(scanner, field, isInList));
}

function readPlainValue(scanner: Scanner, field: WrittenField, operator: string): WrittenValue {
  if (scanner.startsWith("(")) {
    throw scanner.error(`"${operator}" takes one value: write ${field.text}:(A OR B) for several`);
  }
  return readValue(scanner, field, false);
}

function readValue(scanner: Scanner, field: WrittenField, isInList: boolean): WrittenValue {
  const position = scanner.position;
  const pieces = scanner.readPieces(isInList);
  if (pieces.length > 0) return { pieces, position };
  throw scanner.error(
    `a value is missing after "${field.text}": write ${field.text}:VALUE, or ${field.text}:* for any`,
  );
}

function readBound(scanner: Scanner, field: WrittenField, isInList: boolean): WrittenBound {
  const { pieces, position } = readValue(scanner, field, isInList);
  return { text: pieces.map((piece) => piece.text).join(""), position };
}

/** The inside of `field:(a OR b)`, the same grammar as terms have. */
function parseList(scanner: Scanner, context: ValueContext, depth: number): Filter {
  const opening = scanner.position - 1;
  scanner.checkNesting(depth);
  const filter = parseEitherValue(scanner, context, depth);
  if (scanner.accept(")")) return filter;
  if (scanner.isAtEnd || scanner.startsWith("|")) {
    throw scanner.error('this "(" is never closed: add ")"', opening);
  }
  throw scanner.error("write OR between values of which one must match, AND where all must");
}

function parseEitherValue(scanner: Scanner, context: ValueContext, depth: number): Filter {
  const parts: Filter[] = [];
  do {
    const all: Filter[] = [];
    do all.push(parseListItem(scanner, context, depth));
    while (scanner.acceptKeyword("AND"));
    parts.push(allOf(all));
  } while (scanner.acceptKeyword("OR"));
  return anyOf(parts);
}

function parseListItem(scanner: Scanner, context: ValueContext, depth: number): Filter {
  scanner.checkNesting(depth);
  scanner.skipSpace();
  const keyword = scanner.peekKeyword();
  if (scanner.acceptKeyword("NOT")) return not(parseListItem(scanner, context, depth + 1));
  if (keyword !== undefined) throw scanner.error(`a value is missing before "${keyword}"`);
  const filter = parseValue(scanner, context, depth);
  scanner.skipSpace();
  return filter;
}

const BOUND = /[^\s[\]{}()"|]+/y;

function parseRange(scanner: Scanner, reader: FieldReader): Filter {
  const opening = scanner.position;
  const isLowInclusive = scanner.text[scanner.position++] === "[";
  const low = readRangeBound(scanner, opening);
  if (scanner.read(/\s+TO\s+/y) === undefined) throw refuseRange(scanner, opening);
  const high = readRangeBound(scanner, opening);
  scanner.skipSpace();
  const isHighInclusive = scanner.accept("]");
  if (!isHighInclusive && !scanner.accept("}")) throw refuseRange(scanner, opening);
  return reader.isWithin(rangeEnd(low, isLowInclusive), rangeEnd(high, isHighInclusive));
}

function readRangeBound(scanner: Scanner, opening: number): WrittenBound {
  scanner.skipSpace();
  const position = scanner.position;
  const text = scanner.read(BOUND);
  if (text === undefined) throw refuseRange(scanner, opening);
  return { text, position };
}

function rangeEnd(bound: WrittenBound, isInclusive: boolean): RangeEnd {
  return bound.text === "*" ? { isInclusive } : { bound, isInclusive };
}

function refuseRange(scanner: Scanner, opening: number): Error {
  return scanner.error(
    "a range is [LOW TO HIGH] with its ends, {LOW TO HIGH} without, * for no end; a text that begins with a bracket needs quotes",
    Math.max(opening, Math.min(scanner.position, scanner.text.length)),
  );
}
