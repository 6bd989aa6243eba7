/**
 * Our questions in Elasticsearch's query DSL, made from the filter tree. Each text question comes in
 * two forms: by the index of words, as its users write it, and by `body.raw`, which holds each message
 * whole, with our word boundaries.
 */
import type { FieldRef, FieldTest, Filter, TextMatch } from "../../src/core/filter.ts";
import { parseFilter } from "../../src/query/parse-filter.ts";
import type { OurQuery, QueryClass } from "../query-classes.ts";

type Exactness = "usual" | "exact";
type Clause = { readonly [name: string]: unknown };

const FIELD_OF_KEY: ReadonlyMap<string, string> = new Map([
  ["level", "severity_text"],
  ["node", "node"],
  ["logger", "logger"],
]);

/** More than the load has of any. */
const GROUPS_MAX = 1_000;

/** The bodies of searches, the usual one first; none where it cannot be asked. */
export function elasticsearchForms({ ours }: QueryClass): readonly string[] {
  const filter = parseFilter(ours.query);
  const forms = (["usual", "exact"] as const).flatMap((exactness) => {
    const query = toClause(filter, exactness);
    const rest = query === undefined ? undefined : toAggregation(ours);
    return rest === undefined ? [] : [JSON.stringify({ query, ...rest })];
  });
  return [...new Set(forms)];
}

/** What stands beside the query; the pages of a search are the caller's. */
function toAggregation(ours: OurQuery): object | undefined {
  switch (ours.route) {
    case "count":
      return { size: 0, track_total_hits: true };
    case "groups": {
      const fields = ours.by.split(",").map((key) => FIELD_OF_KEY.get(key.trim()));
      const inner = fields.reduceRight<object | undefined>(
        (aggs, field) => ({
          by: { terms: { field, size: GROUPS_MAX }, ...(aggs === undefined ? {} : { aggs }) },
        }),
        undefined,
      );
      return fields.includes(undefined) ? undefined : { size: 0, aggs: inner };
    }
    case "histogram": {
      const levels = { by: { terms: { field: "severity_text", size: GROUPS_MAX } } };
      const histogram = { field: "@timestamp", fixed_interval: ours.interval, min_doc_count: 1 };
      return { size: 0, aggs: { by: { date_histogram: histogram, aggs: levels } } };
    }
    case "search":
      return {};
  }
}

/** Undefined where the index cannot be asked that. */
function toClause(filter: Filter, exactness: Exactness): Clause | undefined {
  switch (filter.kind) {
    case "all":
      return { match_all: {} };
    case "none":
      return { match_none: {} };
    case "and":
    case "or": {
      const parts = filter.of.map((part) => toClause(part, exactness));
      if (parts.includes(undefined)) return undefined;
      const name = filter.kind === "and" ? "filter" : "should";
      return { bool: { [name]: parts } };
    }
    case "not": {
      const inner = toClause(filter.of, exactness);
      return inner === undefined ? undefined : { bool: { must_not: [inner] } };
    }
    // The attributes are keywords: no word inside them is known.
    case "text":
      return undefined;
    case "severity":
      return { range: { severity_number: { gte: filter.min, lte: filter.max } } };
    case "field":
      return toFieldClause(filter.field, filter.test, exactness);
  }
}

function toFieldClause(field: FieldRef, test: FieldTest, exactness: Exactness): Clause | undefined {
  if (field.target === "message") {
    return test.op === "contains" ? toTextClause(test.match, exactness) : undefined;
  }
  const isKeyword =
    field.target === "node" || field.target === "logger" || field.target === "trace_id";
  if (!isKeyword) return undefined;
  if (test.op === "equals") return { term: { [field.target]: test.text } };
  if (test.op === "glob" && !test.pattern.includes("*")) {
    return { term: { [field.target]: test.pattern } };
  }
  return undefined;
}

function toTextClause(match: TextMatch, exactness: Exactness): Clause {
  if (match.kind === "regex") return onWhole(`.*(${match.source}).*`, match.anyCase);
  const { text, anyCase, startsAtWord, endsAtWord } = match;
  if (exactness === "usual" && startsAtWord && endsAtWord) return { match_phrase: { body: text } };
  if (!startsAtWord && !endsAtWord) {
    const value = `*${text.replaceAll(/[\\*?]/g, String.raw`\$&`)}*`;
    return { wildcard: { "body.raw": { value, case_insensitive: anyCase } } };
  }
  const escaped = text.replaceAll(/[^A-Za-z0-9_ ]/g, String.raw`\$&`);
  const before = startsAtWord ? "(.*[^A-Za-z0-9_])?" : ".*";
  const after = endsAtWord ? "([^A-Za-z0-9_].*)?" : ".*";
  return onWhole(`${before}${escaped}${after}`, anyCase);
}

function onWhole(value: string, anyCase: boolean): Clause {
  return { regexp: { "body.raw": { value, flags: "NONE", case_insensitive: anyCase } } };
}
