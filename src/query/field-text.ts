import type { FieldRef, FieldTest, Filter } from "../core/filter.ts";
import { severityBandOf } from "../core/severity.ts";
import type { FieldReader, RangeEnd, WrittenBound } from "./field-reader.ts";
import type { WrittenField } from "./fields.ts";
import { KNOWN_FIELDS } from "./fields.ts";
import { allOf } from "./filter-tree.ts";
import type { Scanner } from "./lexer.ts";
import { didYouMean } from "./syntax-error.ts";
import type { WrittenValue } from "./text-match.ts";
import { hasStar, isExactCase, isWildcard, readTextMatch, writtenText } from "./text-match.ts";

/** How fields that hold text or numbers are read: every field but the level and the ids. */
export function textReader(scanner: Scanner, field: WrittenField): FieldReader {
  const { ref } = field;
  return {
    exists: () => fieldTest(ref, { op: "exists" }),
    matches: (value) => fieldTest(ref, readMatch(scanner, ref, value)),
    equals: (value) => {
      refuseStar(scanner, field, value);
      return fieldTest(ref, { op: "equals", text: writtenText(value), anyCase: false });
    },
    matchesRegex: ({ source, anyCase }) =>
      fieldTest(ref, { op: "contains", match: { kind: "regex", source, anyCase } }),
    compares: (comparison, bound) =>
      fieldTest(ref, { op: "compare", comparison, value: readNumber(scanner, field, bound) }),
    isWithin: (low, high) => isWithin(scanner, field, low, high),
  };
}

function fieldTest(field: FieldRef, test: FieldTest): Filter {
  return { kind: "field", field, test };
}

function readMatch(scanner: Scanner, ref: FieldRef, value: WrittenValue): FieldTest {
  if (isWildcard(value)) return { op: "exists" };
  if (ref.target === "message") return { op: "contains", match: readTextMatch(scanner, value) };
  const anyCase = !isExactCase(value);
  if (!hasStar(value)) return { op: "equals", text: writtenText(value), anyCase };
  const literal = value.pieces.find((piece) => piece.kind !== "star" && piece.text.includes("*"));
  if (literal !== undefined) {
    throw scanner.error(
      "a * in quotes stands for itself and cannot stand beside one that does not: write a regular expression, as in /a\\*.*/",
      literal.position,
    );
  }
  // Two stars say no more than one.
  return { op: "glob", pattern: writtenText(value).replaceAll(/\*+/g, "*"), anyCase };
}

/** `=` compares with the text as it stands, so a star would be a surprise. */
function refuseStar(scanner: Scanner, field: WrittenField, value: WrittenValue): void {
  const star = value.pieces.find((piece) => piece.kind === "star");
  if (star === undefined) return;
  throw scanner.error(
    `"=" takes no *: write ${field.text}:${writtenText(value)}, or the * in quotes`,
    star.position,
  );
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const NUMBER_WITH_UNIT = /^[+-]?(?:\d+\.?\d*|\.\d+)([A-Za-z%]+)$/;

function readNumber(scanner: Scanner, field: WrittenField, bound: WrittenBound): number {
  const { text, position } = bound;
  if (NUMBER.test(text)) {
    const value = Number(text);
    // Adding zero makes 0 of -0.
    if (Number.isFinite(value)) return value + 0;
    throw scanner.error(`"${text}" is too large for a number`, position);
  }
  const unit = NUMBER_WITH_UNIT.exec(text)?.[1];
  if (unit !== undefined) {
    throw scanner.error(
      `give a plain number in the unit that "${field.text}" has, without "${unit}", as in ${field.text}>${text.slice(0, -unit.length)}`,
      position,
    );
  }
  const isLevel = severityBandOf(text) !== undefined;
  const hint = isLevel
    ? didYouMean(field.text, KNOWN_FIELDS) || "; levels are compared as in level>=warn"
    : ` such as ${field.text}>50; to search for the text itself, put it in quotes`;
  throw scanner.error(`"${field.text}" is compared with a number${hint}`, position);
}

function isWithin(scanner: Scanner, field: WrittenField, low: RangeEnd, high: RangeEnd): Filter {
  const parts: Filter[] = [];
  if (low.bound !== undefined) {
    const value = readNumber(scanner, field, low.bound);
    const comparison = low.isInclusive ? ">=" : ">";
    parts.push(fieldTest(field.ref, { op: "compare", comparison, value }));
  }
  if (high.bound !== undefined) {
    const value = readNumber(scanner, field, high.bound);
    const comparison = high.isInclusive ? "<=" : "<";
    parts.push(fieldTest(field.ref, { op: "compare", comparison, value }));
  }
  return parts.length === 0 ? fieldTest(field.ref, { op: "exists" }) : allOf(parts);
}
