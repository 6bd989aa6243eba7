import * as fc from "fast-check";
import type { FieldRef, Filter, TextMatch } from "../../src/core/filter.ts";
import { isWordUnit } from "../../src/core/text-fold.ts";
import type { GroupKey, Stat } from "../../src/log-store/log-store.ts";
import type { Column } from "../../src/query/column.ts";
import { columnName } from "../../src/query/column.ts";
import { fieldName } from "../../src/query/fields.ts";
import { allOf, anyOf, not } from "../../src/query/filter-tree.ts";
import type { Query } from "../../src/query/parse-query.ts";
import type { Pipe } from "../../src/query/pipes.ts";

/** Texts with what the language must escape or may take for syntax. */
const text = fc.oneof(
  fc.constantFrom("a", "AND", "OR", "NOT", "10.0.0.1", "it's", 'say "x"', "a\\b", "a\nb\tc", "*"),
  fc.constantFrom(
    "-x",
    "!x",
    "(a)",
    "a|b",
    "/dev",
    "x:y",
    "größe",
    " ",
    "=",
    "[INFO]",
    "a b",
    "😀",
  ),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }),
);

const key = fc.oneof(
  fc.constantFrom(
    "code",
    "http.status",
    "k8s.pod/x-1",
    "level",
    "time",
    "seq",
    "odd key",
    "attributes.x",
  ),
  fc.constantFrom("node", "msg", "resource.", "_exists_", "AND", "a:b", 'q"q', "ключ"),
  fc.string({ minLength: 1, maxLength: 6 }),
);

/** Such a match as the language can ask for: boundaries only beside word characters. */
export const textMatch: fc.Arbitrary<TextMatch> = fc.oneof(
  fc
    .tuple(text, fc.boolean(), fc.boolean(), fc.boolean())
    .map(([literal, anyCase, startsAtWord, endsAtWord]): TextMatch => ({
      kind: "literal",
      text: literal,
      anyCase,
      startsAtWord: startsAtWord && isWordUnit(literal.charCodeAt(0)),
      endsAtWord: endsAtWord && isWordUnit(literal.charCodeAt(literal.length - 1)),
    })),
  fc
    .tuple(
      fc.constantFrom("ab+c", "a/b", String.raw`\d+\\`, "[/x]", "^a b|c$", "(?i)é"),
      fc.boolean(),
    )
    .map(([source, anyCase]): TextMatch => ({ kind: "regex", source, anyCase })),
);

const textField: fc.Arbitrary<FieldRef> = fc.oneof(
  fc.constantFrom<FieldRef>(
    { target: "node" },
    { target: "dataflow" },
    { target: "event" },
    { target: "logger" },
  ),
  fc
    .tuple(fc.constantFrom("attribute" as const, "resource" as const, "any" as const), key)
    .map(([target, name]): FieldRef => ({ target, key: name })),
);

const glob = fc
  .array(
    text.filter((part) => !part.includes("*")),
    { minLength: 1, maxLength: 3 },
  )
  .chain((parts) =>
    fc.constantFrom(`*${parts.join("*")}`, `${parts.join("*")}*`, `*${parts.join("*")}*`),
  );

const number = fc
  .oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }))
  .map((n) => n + 0);
const comparison = fc.constantFrom("<" as const, "<=" as const, ">" as const, ">=" as const);
const severity = fc.oneof(
  fc.constant<Filter>({ kind: "severity", min: 0, max: 0 }),
  fc
    .tuple(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 1, max: 24 }))
    .map(([a, b]): Filter => ({ kind: "severity", min: Math.min(a, b), max: Math.max(a, b) })),
);

const fieldFilter: fc.Arbitrary<Filter> = fc.oneof(
  fc.tuple(textField, text, fc.boolean()).map(([field, value, anyCase]): Filter => ({
    kind: "field",
    field,
    test: { op: "equals", text: value, anyCase },
  })),
  fc.tuple(textField, glob, fc.boolean()).map(([field, pattern, anyCase]): Filter => ({
    kind: "field",
    field,
    test: { op: "glob", pattern, anyCase },
  })),
  fc.tuple(textField, comparison, number).map(([field, operator, value]): Filter => ({
    kind: "field",
    field,
    test: { op: "compare", comparison: operator, value },
  })),
  textField.map((field): Filter => ({ kind: "field", field, test: { op: "exists" } })),
  textMatch.map((match): Filter => ({
    kind: "field",
    field: { target: "message" },
    test: { op: "contains", match },
  })),
  text.map((value): Filter => ({
    kind: "field",
    field: { target: "message" },
    test: { op: "equals", text: value, anyCase: false },
  })),
  fc.constantFrom<Filter>(
    {
      kind: "field",
      field: { target: "trace_id" },
      test: { op: "equals", text: "4bf92f3577b34da6a3ce929d0e0e4736", anyCase: false },
    },
    {
      kind: "field",
      field: { target: "span_id" },
      test: { op: "glob", pattern: "00f0*", anyCase: false },
    },
    { kind: "field", field: { target: "trace_id" }, test: { op: "exists" } },
  ),
);

const leaf: fc.Arbitrary<Filter> = fc.oneof(
  fc.constant<Filter>({ kind: "all" }),
  textMatch.map((match): Filter => ({ kind: "text", match })),
  severity,
  fieldFilter,
);

/** Trees as a parser makes them, that is, by the constructors of filter-tree.ts. */
const filter: fc.Arbitrary<Filter> = fc.letrec<{ tree: Filter }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie("tree"), { minLength: 1, maxLength: 4 }).map(allOf),
    fc.array(tie("tree"), { minLength: 1, maxLength: 4 }).map(anyOf),
    tie("tree").map(not),
  ),
})).tree;

const fieldKey: fc.Arbitrary<GroupKey> = textField
  .filter((field) => fieldName(field) !== "count")
  .map((field) => ({ kind: "field", field, name: fieldName(field) }));
const timeKey: fc.Arbitrary<GroupKey> = fc
  .bigInt({ min: 1n, max: 10n ** 16n })
  .map((intervalNs) => ({ kind: "time", intervalNs, name: "time" }));
const byName = { selector: ({ name }: { readonly name: string }) => name };
const groupKeys = fc.uniqueArray(fc.oneof(fieldKey, timeKey), {
  ...byName,
  minLength: 1,
  maxLength: 3,
});

const stats: fc.Arbitrary<readonly Stat[]> = fc.uniqueArray(
  fc.oneof(
    key.map((name): Stat => ({ kind: "count", name: `c_${name}` })),
    fc
      .tuple(
        fc.constantFrom("sum" as const, "min" as const, "max" as const, "avg" as const),
        textField,
      )
      .map(([kind, field]): Stat => ({ kind, field, name: `${kind}_${fieldName(field)}` })),
  ),
  { ...byName, minLength: 1, maxLength: 3 },
);

const entryColumn: fc.Arbitrary<Column> = fc.oneof(
  fc
    .constantFrom("timestamp", "seq", "duration_ns", "code")
    .map((name): Column => ({ from: "entry", name })),
  textField.map((field): Column => ({ from: "field", field })),
);

/** Pipes over entries. */
const entryPipes: fc.Arbitrary<readonly Pipe[]> = fc
  .tuple(
    fc.array(fc.tuple(entryColumn, fc.boolean()), { minLength: 1, maxLength: 3 }),
    fc.uniqueArray(entryColumn, { selector: columnName, minLength: 1, maxLength: 3 }),
    fc.integer({ min: 1 }),
  )
  .chain(([keys, columns, count]) =>
    fc.subarray<Pipe>([
      { kind: "limit", count },
      { kind: "sort", keys: keys.map(([column, isDescending]) => ({ column, isDescending })) },
      { kind: "fields", columns },
      { kind: "limit", count: 5 },
    ]),
  );

/** An aggregating pipe, and pipes over its rows. */
const groupPipes: fc.Arbitrary<readonly Pipe[]> = fc
  .tuple(groupKeys, fc.integer({ min: 1 }), stats, fc.nat({ max: 2 }))
  .chain(([by, count, figures, choice]) => {
    const aggregating: Pipe = [
      { kind: "count" as const, by },
      { kind: "top" as const, by, count },
      {
        kind: "stats" as const,
        by: by.filter(({ name }) => figures.every((stat) => stat.name !== name)),
        stats: figures,
      },
    ][choice];
    const column = fc
      .constantFrom(...(aggregating.kind === "stats" ? figures : by).map(({ name }) => name))
      .map((name): Column => ({ from: "row", name }));
    return fc
      .tuple(column, column, fc.boolean())
      .map(([sorted, picked, isDescending]): readonly Pipe[] => [
        aggregating,
        { kind: "sort", keys: [{ column: sorted, isDescending }] },
        { kind: "fields", columns: [picked] },
      ]);
  });

export const query: fc.Arbitrary<Query> = fc.record({
  filter,
  pipes: fc.oneof(fc.constant([]), entryPipes, groupPipes),
});
