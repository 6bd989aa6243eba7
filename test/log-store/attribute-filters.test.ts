import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { AnyValue } from "../../src/core/any-value.ts";
import type { FieldRef, FieldTest, Filter, TextMatch } from "../../src/core/filter.ts";
import type { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import { MERGE_LIMITS } from "../../src/log-store/merge-plan.ts";
import { logRecord } from "../query/log-record.ts";
import { matchesRecord } from "../query/naive-evaluator.ts";
import { LONG_TEST_MS, runs } from "../run-size.ts";
import { aggregate, appendLogs, openStore, searchAll, temporaryFolder } from "./store-user.ts";

/** Constant text that no template takes: such an attribute is one slot of any bytes. */
const LONG = "long text without end ".repeat(250);
const UUID = "0b9de1f2-77aa-4c3e-aaaa-0123456789ab";

const TEXTS = [
  "",
  "GET",
  "get",
  "timeout",
  "GET /item/17",
  "GET /item/18?x=1",
  "/item/1718",
  "10.0.0.1",
  "blk_17",
  "12ms",
  "12",
  " 12 ",
  "-12.5e3",
  "4bf92f35",
  "deadbeef",
  "v2beta3",
  UUID,
  UUID.replace("4c3e", "aaaa"),
  `req ${UUID} 200`,
  "K9 K9 ſ12",
  "\ufeff7 marks",
  "Ünï17",
  "a\u0001 17",
  '{"a":17}',
  "日本 17",
  "\ufffd17\ufffd",
  LONG,
  `${LONG}17`,
];
const NUMBERS: readonly AnyValue[] = [
  0n,
  12n,
  17n,
  200n,
  500n,
  16_383n,
  16_384n,
  -1n,
  2n ** 49n - 1n,
  2n ** 49n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  12,
  0.5,
  -0,
  1e21,
  Number.NaN,
  Number.POSITIVE_INFINITY,
];
const OTHERS: readonly AnyValue[] = [
  null,
  true,
  false,
  new Uint8Array([1, 2, 255]),
  ["timeout", 17n],
  new Map<string, AnyValue>([["a", 17n]]),
];
const KEYS = ["a", "path", "path.x", "", "__proto__", "m\u0003k"];

const value: fc.Arbitrary<AnyValue> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 2, arbitrary: fc.constantFrom(...NUMBERS) },
  { weight: 1, arbitrary: fc.constantFrom(...OTHERS) },
);
const attributes = fc
  .array(fc.tuple(fc.constantFrom(...KEYS), value), { maxLength: 4 })
  .map((pairs): ReadonlyMap<string, AnyValue> => new Map(pairs));

/** A part of one of the texts, cut anywhere. */
const piece = fc
  .tuple(fc.constantFrom(...TEXTS.filter((text) => text !== "")), fc.nat(60), fc.nat(20))
  .map(([text, start, length]) => {
    const from = start % text.length;
    return text.slice(from, from + length + 1);
  });
const needle = fc.oneof(fc.constantFrom(...TEXTS, "17", "200", "-1", "true"), piece);
const match: fc.Arbitrary<TextMatch> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("literal" as const),
      text: needle.filter((text) => text !== ""),
      anyCase: fc.boolean(),
      startsAtWord: fc.boolean(),
      endsAtWord: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("regex" as const),
      source: fc.constantFrom("item/[0-9]+", "^GET", "17$", "[a-f]{4}", "x*", "(get|timeout)"),
      anyCase: fc.boolean(),
    }),
  },
);
const fieldTest: fc.Arbitrary<FieldTest> = fc.oneof(
  fc.constant<FieldTest>({ op: "exists" }),
  fc.record({ op: fc.constant("equals" as const), text: needle, anyCase: fc.boolean() }),
  fc.record({
    op: fc.constant("glob" as const),
    pattern: fc
      .array(fc.oneof(piece, fc.constant("")), { minLength: 1, maxLength: 3 })
      .map((parts) => parts.join("*")),
    anyCase: fc.boolean(),
  }),
  fc.record({
    op: fc.constant("compare" as const),
    comparison: fc.constantFrom("<", "<=", ">", ">="),
    value: fc.constantFrom(0, 12, 17, 500, 16_383.5, 2 ** 53, -1, 1e18),
  }),
  fc.record({ op: fc.constant("contains" as const), match }),
);
const field = fc.record({
  target: fc.constantFrom("attribute" as const, "any" as const),
  key: fc.constantFrom(...KEYS),
}) satisfies fc.Arbitrary<FieldRef>;
const filter: fc.Arbitrary<Filter> = fc
  .tuple(fc.record({ kind: fc.constant("field" as const), field, test: fieldTest }), fc.nat(5))
  .map(([leaf, dice]): Filter => (dice === 0 ? { kind: "not", of: leaf } : leaf));

const RESOURCES: readonly Readonly<Record<string, AnyValue>>[] = [
  { "service.name": "one" },
  { "service.name": "two", path: "GET /item/17", a: 17n },
];

/** Seals; every second time merges too. */
async function seal(store: EmbeddedStore, isMerging: boolean): Promise<void> {
  await store.seal();
  if (isMerging) await store.merge();
}

test(
  "tests of attributes give what the naive evaluator gives, in rows and in counts",
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            rows: fc.array(attributes, { minLength: 1, maxLength: 30 }),
            resource: fc.constantFrom(...RESOURCES),
            isSealed: fc.boolean(),
          }),
          { minLength: 1, maxLength: 4 },
        ),
        fc.array(filter, { minLength: 40, maxLength: 40 }),
        async (requests, filters) => {
          const store = await openStore(temporaryFolder(), {
            maintenance: {
              merge: { ...MERGE_LIMITS, countMin: 2, growthMin: 1 },
              tickMs: 3_600_000,
            },
          });
          let seq = 0;
          const records = requests.flatMap(({ rows, resource }) =>
            rows.map((own) => ({
              ...logRecord({ attributes: {}, resource }),
              attributes: own,
              seq: ++seq,
            })),
          );
          for (const [index, { rows, resource, isSealed }] of requests.entries()) {
            const logs = rows.map((own) => ({ attributes: own, body: String(index) }));
            await appendLogs(store, logs, resource);
            if (isSealed) await seal(store, index % 2 === 1);
          }
          for (const tree of filters) {
            const expected = records.filter((one) => matchesRecord(tree, one));
            const { entries } = await searchAll(store, { filter: tree });
            expect(
              entries.map((entry) => entry.seq),
              JSON.stringify(tree),
            ).toEqual(expected.map((one) => one.seq));
            const counted = await aggregate(store, {
              by: [],
              stats: [{ kind: "count", name: "count" }],
              filter: tree,
            });
            expect(counted.rows[0]?.["count"] ?? 0, JSON.stringify(tree)).toBe(expected.length);
          }
          await store.close();
        },
      ),
      { numRuns: runs({ part: 60, full: 1_500 }) },
    );
  },
  LONG_TEST_MS,
);
