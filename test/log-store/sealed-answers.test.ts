import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Filter, TextMatch } from "../../src/core/filter.ts";
import { ALL_TIME } from "../../src/core/time.ts";
import type { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import { LONG_TEST_MS, runs } from "../run-size.ts";
import { appendLogs, BUDGET, openStore, temporaryFolder } from "./store-user.ts";

/** Texts that have few templates, many slots, and cuts and escapes between them. */
const piece = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom("order ", "id=", ' said "', "\n", "blk_", "42_17", "é", "\\", "\t"),
  },
  { weight: 3, arbitrary: fc.stringMatching(/^[0-9]{1,4}$/) },
  { weight: 2, arbitrary: fc.stringMatching(/^[0-9][a-cK][0-9a-ck]{0,3}$/) },
  { weight: 1, arbitrary: fc.constantFrom("4bf92f35-77b3-4da6-a3ce-929d0e0e4736", "\u0001", "ſK") },
);
const text = fc.array(piece, { maxLength: 7 }).map((pieces) => pieces.join(""));
const value = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) },
  { weight: 1, arbitrary: fc.constantFrom<boolean | null>(true, null) },
);
const record = fc.record({
  body: fc.oneof({ weight: 8, arbitrary: text }, { weight: 1, arbitrary: value }),
  attributes: fc
    .array(fc.tuple(fc.constantFrom("path", "order.id", 'a "k"'), value), { maxLength: 3 })
    .map((pairs) => new Map(pairs)),
});

/** A part of what stands in the records, in another case now and then. */
const literal = fc
  .tuple(piece, fc.option(piece, { nil: "" }), fc.boolean(), fc.boolean(), fc.boolean())
  .map(([left, right, anyCase, startsAtWord, endsAtWord]): TextMatch => {
    const whole = left + right;
    return {
      kind: "literal",
      text: anyCase ? whole.toUpperCase() : whole,
      anyCase,
      startsAtWord,
      endsAtWord,
    };
  });
const regex = fc
  .array(
    fc.constantFrom("[0-9]", "1", "2?", "[1-4]{2}", "9+", "[a-c]", "er ", "\\b", "=", "[^ ]"),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .chain((parts) => fc.constantFrom(parts.join(""), `(?:${parts.join("|")})1`, `^${parts[0]}`))
  .map((source): TextMatch => ({ kind: "regex", source, anyCase: false }));
/** The first option may be found where it reaches into the next slot, and hide the second. */
const hiding = fc.constantFrom<TextMatch>(
  { kind: "regex", source: "[0-9]{4}|[0-9]{2}", anyCase: false },
  { kind: "regex", source: "1[0-9]{3}|1", anyCase: false },
);
const filter = fc
  .tuple(fc.oneof(literal, regex, hiding), fc.boolean())
  .map(([match, isMessage]): Filter =>
    isMessage
      ? { kind: "field", field: { target: "message" }, test: { op: "contains", match } }
      : { kind: "text", match },
  );

/** The lines of a search's answer. */
async function linesOf(
  store: EmbeddedStore,
  filterTree: Filter,
  order: "newest" | "oldest",
): Promise<string> {
  let lines = "";
  const request = { signal: "logs", range: ALL_TIME, budget: BUDGET } as const;
  const asked = { ...request, filter: filterTree, order };
  for await (const batch of store.search(asked, new AbortController().signal)) {
    lines += Buffer.from(batch.lines).toString("utf8");
  }
  return lines;
}

test(
  "a search gives of sealed rows, byte by byte, what it gave of them while they were open",
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 40 }),
        fc.array(fc.tuple(filter, fc.constantFrom("newest" as const, "oldest" as const)), {
          minLength: 20,
          maxLength: 20,
        }),
        async (records, searches) => {
          const store = await openStore(temporaryFolder());
          await appendLogs(store, records);
          const all: (typeof searches)[number] = [{ kind: "all" }, "newest"];
          const open: string[] = [];
          for (const [tree, order] of [all, ...searches]) {
            open.push(await linesOf(store, tree, order));
          }
          await store.seal();
          for (const [index, [tree, order]] of [all, ...searches].entries()) {
            expect(await linesOf(store, tree, order), JSON.stringify(tree)).toBe(open[index]);
          }
          await store.close();
        },
      ),
      { numRuns: runs({ part: 150, full: 2_000 }) },
    );
  },
  LONG_TEST_MS,
);
