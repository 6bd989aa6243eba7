import type { Comparison, Filter } from "../core/filter.ts";
import type { SeverityBand } from "../core/severity.ts";
import { SEVERITY_BANDS, severityBandOf } from "../core/severity.ts";
import type { FieldReader, RangeEnd, WrittenBound } from "./field-reader.ts";
import type { Scanner } from "./lexer.ts";
import { didYouMean } from "./syntax-error.ts";
import type { WrittenValue } from "./text-match.ts";
import { hasStar, isWildcard, writtenText } from "./text-match.ts";

const LEVEL_NAMES: readonly string[] = [
  ...SEVERITY_BANDS.map((band) => band.name.toLowerCase()),
  "unspecified",
];
const LOWEST = 1;
const HIGHEST = 24;

/** Severity numbers from `min` to `max`, both inclusive. */
type Span = Pick<SeverityBand, "min" | "max"> | { readonly min: number; readonly max: number };

/**
 * How `level` is read: names mean their band of four numbers, numbers 1 to 24 stand for themselves.
 * A record without a severity is `level:unspecified`; no order holds for it (LOG-001).
 */
export function levelReader(scanner: Scanner): FieldReader {
  const readValue = (value: WrittenValue): Filter => {
    if (hasStar(value)) {
      const star = value.pieces.find((piece) => piece.kind === "star");
      throw scanner.error(`a level takes no *: ${choices()}`, star?.position);
    }
    return severity(readSpan(scanner, { text: writtenText(value), position: value.position }));
  };
  return {
    exists: () => severity({ min: LOWEST, max: HIGHEST }),
    matches: (value) =>
      isWildcard(value) ? severity({ min: LOWEST, max: HIGHEST }) : readValue(value),
    equals: readValue,
    matchesRegex: ({ position }) => {
      throw scanner.error(`a level is no text: ${choices()}`, position);
    },
    compares: (comparison, bound) => compare(scanner, comparison, bound),
    isWithin: (low, high) => within(scanner, low, high),
  };
}

function choices(): string {
  return `give ${LEVEL_NAMES.join(", ")}, or a number from ${LOWEST} to ${HIGHEST}`;
}

function severity({ min, max }: Span): Filter {
  return { kind: "severity", min, max };
}

function readSpan(scanner: Scanner, { text, position }: WrittenBound): Span {
  if (/^\d{1,2}$/.test(text) && Number(text) <= HIGHEST) {
    return { min: Number(text), max: Number(text) };
  }
  if (text.toLowerCase() === "unspecified") return { min: 0, max: 0 };
  const band = severityBandOf(text);
  if (band !== undefined) return band;
  throw scanner.error(
    `"${text}" is no level${didYouMean(text, LEVEL_NAMES)}: ${choices()}`,
    position,
  );
}

function readOrderedSpan(scanner: Scanner, bound: WrittenBound): Span {
  const span = readSpan(scanner, bound);
  if (span.min > 0) return span;
  throw scanner.error(
    "records without a severity have no order: write level:unspecified for them",
    bound.position,
  );
}

function compare(scanner: Scanner, comparison: Comparison, bound: WrittenBound): Filter {
  const end = { bound, isInclusive: comparison === ">=" || comparison === "<=" };
  const open = { isInclusive: true };
  const isAbove = comparison === ">" || comparison === ">=";
  return isAbove ? within(scanner, end, open) : within(scanner, open, end);
}

function within(scanner: Scanner, low: RangeEnd, high: RangeEnd): Filter {
  const min = lowest(scanner, low);
  const max = highest(scanner, high);
  if (min <= max) return severity({ min, max });
  throw scanner.error("no level lies there", (low.bound ?? high.bound)?.position);
}

function lowest(scanner: Scanner, { bound, isInclusive }: RangeEnd): number {
  if (bound === undefined) return LOWEST;
  const span = readOrderedSpan(scanner, bound);
  return isInclusive ? span.min : span.max + 1;
}

function highest(scanner: Scanner, { bound, isInclusive }: RangeEnd): number {
  if (bound === undefined) return HIGHEST;
  const span = readOrderedSpan(scanner, bound);
  return isInclusive ? span.max : span.min - 1;
}
