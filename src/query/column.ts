import type { Json } from "../core/any-value.ts";
import type { FieldRef } from "../core/filter.ts";
import { fieldName, printField, printName, quote, readField } from "./fields.ts";
import type { Scanner } from "./lexer.ts";
import type { Row } from "./row.ts";
import { asRow, ownValue } from "./row.ts";
import { didYouMean } from "./syntax-error.ts";

/** What `fields` and `sort` name. */
export type Column =
  /** A key of the rows that an earlier pipe made. */
  | { readonly from: "row"; readonly name: string }
  /** A key that entries have (`timestamp`, `seq`, `duration_ns`), else an attribute of that name. */
  | { readonly from: "entry"; readonly name: string }
  /** A field as filters know it. */
  | { readonly from: "field"; readonly field: FieldRef };

/** The names of the columns that rows have at this place of a query; undefined for entries. */
export type KnownColumns = readonly string[] | undefined;

/** Takes a column's name. Errors where the rows have no such column. */
export function readColumn(scanner: Scanner, known: KnownColumns): Column {
  scanner.skipSpace();
  const position = scanner.position;
  const field = readField(scanner);
  if (field === undefined) throw scanner.error("the name of a field is missing here");
  if (known === undefined) {
    if (field.ref.target !== "any" || field.isQuoted) return { from: "field", field: field.ref };
    return { from: "entry", name: field.text === "time" ? "timestamp" : field.text };
  }
  const canonical = field.isQuoted ? field.text : fieldName(field.ref);
  const name = [field.text, canonical].find((candidate) => known.includes(candidate));
  if (name !== undefined) return { from: "row", name };
  throw scanner.error(
    `there is no column "${field.text}" after the pipes before${didYouMean(field.text, known)}: they give ${known.join(", ")}`,
    position,
  );
}

/** The key that the column has in output. */
export function columnName(column: Column): string {
  return column.from === "field" ? fieldName(column.field) : column.name;
}

export function printColumn(column: Column): string {
  if (column.from !== "field") return printName(column.name);
  // A bare name is an entry's key first, so the attribute alone is in quotes.
  return column.field.target === "any" ? quote(column.field.key, '"') : printField(column.field);
}

/** The column's value in a row or an entry; null where it has none. */
export function columnValue(column: Column, row: Row): Json {
  switch (column.from) {
    case "row":
      return ownValue(row, column.name) ?? null;
    case "entry":
      return ownValue(row, column.name) ?? anyAttribute(row, column.name);
    case "field":
      return fieldValue(column.field, row);
  }
}

function fieldValue(field: FieldRef, entry: Row): Json {
  switch (field.target) {
    case "attribute":
      return attribute(entry, "attributes", field.key) ?? null;
    case "resource":
      return attribute(entry, "resource", field.key) ?? null;
    case "any":
      return anyAttribute(entry, field.key);
    case "level":
    case "node":
    case "dataflow":
    case "message":
    case "event":
    case "logger":
    case "trace_id":
    case "span_id":
      return ownValue(entry, fieldName(field)) ?? null;
  }
}

function anyAttribute(entry: Row, key: string): Json {
  return attribute(entry, "attributes", key) ?? attribute(entry, "resource", key) ?? null;
}

function attribute(entry: Row, map: "attributes" | "resource", key: string): Json | undefined {
  const attributes = asRow(ownValue(entry, map));
  return attributes === undefined ? undefined : ownValue(attributes, key);
}
