import type { FieldTest, Filter } from "../core/filter.ts";
import type { FieldReader } from "./field-reader.ts";
import type { Scanner } from "./lexer.ts";
import type { WrittenValue } from "./text-match.ts";
import { hasStar, isWildcard, writtenText } from "./text-match.ts";

/** A field that holds a hexadecimal id. */
export interface IdField {
  readonly target: "trace_id" | "span_id";
  /** Its name as typed. */
  readonly text: string;
  readonly digits: number;
}

/** How ids are read: hexadecimal digits in any case, whole or a prefix with `*`. */
export function idReader(scanner: Scanner, field: IdField): FieldReader {
  const test = (of: FieldTest): Filter => ({
    kind: "field",
    field: { target: field.target },
    test: of,
  });
  const refuse = (position: number): never => {
    throw scanner.error(
      `${field.text} takes ${field.digits} hexadecimal digits, or their start and a *, as in ${field.text}:4bf92f35*`,
      position,
    );
  };
  const readWhole = (value: WrittenValue): Filter => {
    const text = writtenText(value).toLowerCase();
    const isId = /^[0-9a-f]+$/.test(text) && text.length === field.digits;
    return isId ? test({ op: "equals", text, anyCase: false }) : refuse(value.position);
  };
  const readPrefix = (value: WrittenValue): Filter => {
    const pattern = writtenText(value).toLowerCase().replaceAll(/\*+/g, "*");
    const isPattern = /^[0-9a-f*]+$/.test(pattern) && pattern.length <= field.digits;
    return isPattern ? test({ op: "glob", pattern, anyCase: false }) : refuse(value.position);
  };
  return {
    exists: () => test({ op: "exists" }),
    matches: (value) => {
      if (isWildcard(value)) return test({ op: "exists" });
      return hasStar(value) ? readPrefix(value) : readWhole(value);
    },
    equals: readWhole,
    matchesRegex: ({ position }) => refuse(position),
    compares: (_, bound) => refuse(bound.position),
    isWithin: (low, high) => refuse((low.bound ?? high.bound)?.position ?? scanner.position),
  };
}
