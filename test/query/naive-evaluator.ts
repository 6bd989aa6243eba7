import type { AnyValue } from "../../src/core/any-value.ts";
import { anyValueToText } from "../../src/core/any-value.ts";
import type { FieldRef, FieldTest, Filter, TextMatch } from "../../src/core/filter.ts";
import type { LogRecord, Resource } from "../../src/core/record.ts";
import { dataflowName, nodeId, nodeName } from "../../src/core/record.ts";
import { severityName } from "../../src/core/severity.ts";
import { foldCase, isWordUnit } from "../../src/core/text-fold.ts";

/**
 * Whether a record matches a filter: the plainest reading of src/core/filter.ts, to hold engines
 * to. Slow, and its regular expressions are JavaScript's: give it patterns that mean the same in
 * RE2.
 */
export function matchesRecord(filter: Filter, record: LogRecord): boolean {
  switch (filter.kind) {
    case "all":
      return true;
    case "none":
      return false;
    case "and":
      return filter.of.every((part) => matchesRecord(part, record));
    case "or":
      return filter.of.some((part) => matchesRecord(part, record));
    case "not":
      return !matchesRecord(filter.of, record);
    case "text":
      return freeTexts(record).some((text) => matchesText(filter.match, text));
    case "severity":
      return record.severityNumber >= filter.min && record.severityNumber <= filter.max;
    case "field":
      return valuesOf(filter.field, record).some((value) => holds(filter.test, value));
  }
}

/** Body, event name and the attributes that are strings. */
function freeTexts(record: LogRecord): readonly string[] {
  const attributes = [...record.attributes.values()].filter((value) => typeof value === "string");
  return [anyValueToText(record.body), record.eventName, ...attributes];
}

/** The values that a field has in a record: none, one, or two. */
function valuesOf(field: FieldRef, record: LogRecord): readonly AnyValue[] {
  switch (field.target) {
    case "node":
      return presentTexts(nodeId(record.resource), nodeName(record.resource));
    case "dataflow":
      return presentTexts(dataflowId(record.resource), dataflowName(record.resource));
    case "message":
      return record.body === null ? [] : [record.body];
    case "event":
      return presentTexts(record.eventName);
    case "logger":
      return presentTexts(record.scope.name);
    case "level":
      return [severityName(record.severityNumber)];
    case "trace_id":
      return presentTexts(record.traceId);
    case "span_id":
      return presentTexts(record.spanId);
    case "attribute":
      return present(record.attributes.get(field.key));
    case "resource":
      return present(record.resource.attributes.get(field.key));
    case "any":
      return [
        ...present(record.attributes.get(field.key)),
        ...present(record.resource.attributes.get(field.key)),
      ];
  }
}

function presentTexts(...texts: readonly string[]): readonly string[] {
  return texts.filter((text) => text !== "");
}

function dataflowId({ attributes }: Resource): string {
  const id = attributes.get("dora.dataflow.id");
  return typeof id === "string" ? id : "";
}

/** The empty value is a value too; only a key that is not there has none. */
function present(value: AnyValue | undefined): readonly AnyValue[] {
  return value === undefined ? [] : [value];
}

function holds(test: FieldTest, value: AnyValue): boolean {
  switch (test.op) {
    case "exists":
      return true;
    case "equals":
      return inCase(anyValueToText(value), test.anyCase) === inCase(test.text, test.anyCase);
    case "glob":
      return matchesGlob(
        inCase(test.pattern, test.anyCase),
        inCase(anyValueToText(value), test.anyCase),
      );
    case "contains":
      return matchesText(test.match, anyValueToText(value));
    case "compare": {
      const number = numberOf(value);
      if (number === undefined) return false;
      if (test.comparison === "<") return number < test.value;
      if (test.comparison === "<=") return number <= test.value;
      if (test.comparison === ">") return number > test.value;
      return number >= test.value;
    }
  }
}

function inCase(text: string, anyCase: boolean): string {
  return anyCase ? foldCase(text) : text;
}

function matchesGlob(pattern: string, text: string): boolean {
  const parts = pattern
    .split("*")
    .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, (character) => `\\${character}`));
  return new RegExp(`^${parts.join("[^]*")}$`).test(text);
}

/** Decimal notation, with spaces around it. */
function numberOf(value: AnyValue): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "string") return undefined;
  const isNumber = /^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?\s*$/i.test(value);
  return isNumber ? Number(value) : undefined;
}

function matchesText(match: TextMatch, text: string): boolean {
  if (match.kind === "regex") {
    return new RegExp(match.source, match.anyCase ? "iu" : "u").test(text);
  }
  const needle = inCase(match.text, match.anyCase);
  const searched = inCase(text, match.anyCase);
  for (let start = 0; start + needle.length <= searched.length; start++) {
    if (!searched.startsWith(needle, start)) continue;
    const isCutAtStart = match.startsAtWord && isInsideWord(searched, start);
    const isCutAtEnd = match.endsAtWord && isInsideWord(searched, start + needle.length);
    if (!isCutAtStart && !isCutAtEnd) return true;
  }
  return false;
}

/** Whether the characters before and behind this offset belong to one word. */
function isInsideWord(text: string, offset: number): boolean {
  if (offset === 0 || offset === text.length) return false;
  return isWordUnit(text.charCodeAt(offset - 1)) && isWordUnit(text.charCodeAt(offset));
}
