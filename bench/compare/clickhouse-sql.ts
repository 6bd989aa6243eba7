/**
 * Our questions in ClickHouse's SQL, made from the filter tree, so that a new question needs nothing
 * here. Each text question comes in two forms:
 *
 * 1. as its users write it: a text index knows words of letters and digits, so `hasToken` alone
 *    answers a word search; a phrase is narrowed down by its words, then compared;
 * 2. with our word boundaries (`_` and all from U+0080 belong to words) checked on every hit.
 *
 * The first is right where the rows hold nothing that tells them apart, and may then be measured.
 */
import type { FieldRef, FieldTest, Filter, TextMatch } from "../../src/core/filter.ts";
import { parseDurationNs } from "../../src/core/time.ts";
import { parseFilter } from "../../src/query/parse-filter.ts";
import type { OurQuery, QueryClass } from "../query-classes.ts";

type Exactness = "usual" | "exact";

const COLUMN_OF_KEY: ReadonlyMap<string, string> = new Map([
  ["level", "severity_text"],
  ["node", "node"],
  ["logger", "logger"],
]);

/** From this length on, ClickHouse looks a part of a word up in the index's dictionary. */
const DICTIONARY_SCAN_LENGTH_MIN = 4;

/** The forms of a question, the usual one first; none where it cannot be asked. */
export function clickHouseForms({ ours, compare }: QueryClass): readonly string[] {
  const filter = parseFilter(ours.query);
  const forms = (["usual", "exact"] as const).flatMap((exactness) => {
    const where = toCondition(filter, exactness);
    return where === undefined ? [] : toStatement(ours, { where, compare });
  });
  return [...new Set(forms)];
}

function toStatement(
  ours: OurQuery,
  { where, compare }: { readonly where: string; readonly compare: QueryClass["compare"] },
): readonly string[] {
  switch (ours.route) {
    case "count":
      return [`SELECT count() AS n FROM logs WHERE ${where}`];
    case "groups": {
      const keys = ours.by.split(",").map((key) => COLUMN_OF_KEY.get(key.trim()));
      if (keys.includes(undefined)) return [];
      const columns = keys.join(", ");
      return [`SELECT ${columns}, count() AS n FROM logs WHERE ${where} GROUP BY ${columns}`];
    }
    case "histogram": {
      const bucket = `intDiv(time_unix_ns, ${parseDurationNs(ours.interval)}) AS bucket`;
      return [
        `SELECT ${bucket}, severity_text, count() AS n FROM logs WHERE ${where} GROUP BY bucket, severity_text`,
      ];
    }
    case "search": {
      const limit = ours.limit === undefined ? "" : ` LIMIT ${ours.limit}`;
      const into = compare === "exported" ? " INTO OUTFILE '$EXPORT' TRUNCATE" : "";
      return [
        `SELECT * FROM logs WHERE ${where} ORDER BY time_unix_ns DESC${limit}${into} FORMAT JSONEachRow`,
      ];
    }
  }
}

/** Undefined where the table cannot be asked that. */
function toCondition(filter: Filter, exactness: Exactness): string | undefined {
  switch (filter.kind) {
    case "all":
      return "true";
    case "none":
      return "false";
    case "and":
    case "or": {
      const parts = filter.of.map((part) => toCondition(part, exactness));
      return parts.includes(undefined) ? undefined : `(${parts.join(` ${filter.kind} `)})`;
    }
    case "not": {
      const inner = toCondition(filter.of, exactness);
      return inner === undefined ? undefined : `NOT ${inner}`;
    }
    case "text":
      return toFreeText(filter.match, exactness);
    case "severity":
      return `(severity_number BETWEEN ${filter.min} AND ${filter.max})`;
    case "field":
      return toFieldCondition(filter.field, filter.test, exactness);
  }
}

/** No index holds the attributes; in the exact form only those that are strings are looked at. */
function toFreeText(match: TextMatch, exactness: Exactness): string {
  const inBody = toTextCondition("body", match, exactness);
  if (exactness === "usual") return `(${inBody} OR ${toTextScan("attributes", match)})`;
  const texts = "arrayMap(pair -> pair.2, JSONExtractKeysAndValues(attributes, 'String'))";
  return `(${inBody} OR arrayExists(text -> ${toTextScan("text", match)}, ${texts}))`;
}

function toFieldCondition(
  field: FieldRef,
  test: FieldTest,
  exactness: Exactness,
): string | undefined {
  if (field.target === "message") {
    return test.op === "contains" ? toTextCondition("body", test.match, exactness) : undefined;
  }
  const isColumn =
    field.target === "node" || field.target === "logger" || field.target === "trace_id";
  if (!isColumn) return undefined;
  if (test.op === "equals") return `${field.target} = ${quote(test.text)}`;
  // A glob without a star is the whole value.
  if (test.op === "glob" && !test.pattern.includes("*")) {
    return `${field.target} = ${quote(test.pattern)}`;
  }
  return undefined;
}

function toTextCondition(column: string, match: TextMatch, exactness: Exactness): string {
  if (match.kind === "regex") return toTextScan(column, match);
  const words = wholeWords(match);
  const isOneWord = words.length === 1 && words[0] === match.text.toLowerCase();
  if (exactness === "usual" && isOneWord && match.anyCase) {
    return `hasToken(lower(${column}), ${quote(match.text.toLowerCase())})`;
  }
  const scan =
    exactness === "exact"
      ? toTextScan(column, match)
      : toTextScan(column, { ...match, startsAtWord: false, endsAtWord: false });
  if (words.length > 0) {
    return `(hasAllTokens(lower(${column}), [${words.map(quote).join(", ")}]) AND ${scan})`;
  }
  const isPartOfWord = /^[A-Za-z0-9]+$/.test(match.text);
  if (isPartOfWord && match.text.length >= DICTIONARY_SCAN_LENGTH_MIN) {
    return `(lower(${column}) LIKE ${quote(`%${match.text.toLowerCase()}%`)} AND ${scan})`;
  }
  return scan;
}

/** Looks at every row that is left, without the help of an index. */
function toTextScan(column: string, match: TextMatch): string {
  if (match.kind === "regex") {
    return `match(${column}, ${quote(match.anyCase ? `(?i)${match.source}` : match.source)})`;
  }
  const { text, anyCase, startsAtWord, endsAtWord } = match;
  const contains = anyCase
    ? `position(lower(${column}), ${quote(text.toLowerCase())}) > 0`
    : `position(${column}, ${quote(text)}) > 0`;
  if (!startsAtWord && !endsAtWord) return contains;
  const escaped = text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
  const source = `${startsAtWord ? String.raw`\b` : ""}${escaped}${endsAtWord ? String.raw`\b` : ""}`;
  return `(${contains} AND match(${column}, ${quote(anyCase ? `(?i)${source}` : source)}))`;
}

/** The words of the index that every hit contains whole, in lower case. */
function wholeWords(match: Extract<TextMatch, { readonly kind: "literal" }>): readonly string[] {
  const { text, startsAtWord, endsAtWord } = match;
  // Beyond ASCII, folding and words differ between the two.
  if (!/^[ -~]*$/.test(text)) return [];
  return [...text.matchAll(/[A-Za-z0-9]+/g)]
    .filter(({ 0: word, index }) => {
      const isAtStart = index === 0;
      const isAtEnd = index + word.length === text.length;
      return (!isAtStart || startsAtWord) && (!isAtEnd || endsAtWord);
    })
    .map(([word]) => word.toLowerCase());
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", String.raw`\\`).replaceAll("'", String.raw`\'`)}'`;
}
