import { describe, expect, test } from "vitest";
import type { AnyValue } from "../../../src/core/any-value.ts";
import type { Filter } from "../../../src/core/filter.ts";
import {
  CLAUSE_SLOTS_MAX,
  CLAUSES_MAX,
  TEMPLATE_BYTES_MAX,
} from "../../../src/log-store/clauses/clause-marks.ts";
import { appendLogs, openStore, searchAll, temporaryFolder } from "../store-user.ts";

/** Texts at the limits of how they are cut, each with the word by which it is found. */
const TEXTS: readonly (readonly [what: string, text: string, needle: string])[] = [
  ["one clause more than a value may have", `${'q" '.repeat(CLAUSES_MAX + 1)}lastword`, "lastword"],
  ["far more clauses", `${'a="b" '.repeat(4 * CLAUSES_MAX)}behind 42 all`, "behind"],
  ["a clause as long as a template may be", "c".repeat(TEMPLATE_BYTES_MAX), "ccc"],
  ["a longer one", `${"longer ".repeat(TEMPLATE_BYTES_MAX / 6)}tail 7`, "tail"],
  ["as many slots as a clause may have", `${"1 ".repeat(CLAUSE_SLOTS_MAX)}slots`, "slots"],
  ["more slots", `${"2 ".repeat(CLAUSE_SLOTS_MAX + 1)}toomany`, "toomany"],
  ["marks in the text", "before \u0000\u0001\u0002\u0003 after 5", "after"],
  ["a cut at the end", 'said "', "said"],
  ["cuts alone", '""==\n\n', "="],
  ["nothing", "", "12ab34"],
  ["a value larger than a chunk", `${"big 1234 ".repeat(20_000)}finish`, "finish"],
  ["digits at both edges", "12ab34 56cd 78", "56cd"],
  [
    "UUIDs with and without letters",
    "4bf92f35-77b3-4da6-a3ce-929d0e0e4736 and 11111111-2222-3333-4444-555555555555",
    "77b3",
  ],
];

describe("a text at a limit is given back as it was, and found", () => {
  test.each(["sealed", "sealed and merged"])("%s", async (how) => {
    const limits = { countMin: 2, coldAgeMs: 0 };
    const store = await openStore(temporaryFolder(), {
      maintenance: {
        merge: {
          ...limits,
          countMax: 64,
          growthMin: 1,
          bytesMax: 1e9,
          rowsMax: 1e6,
          pressingCount: 64,
          receivedSpanMaxMs: 86_400_000,
        },
      },
    });
    // Twice, in two segments, and as an attribute as well.
    for (const half of [0, 1]) {
      await appendLogs(
        store,
        TEXTS.map(([, text], index) => ({
          body: text,
          attributes: new Map<string, AnyValue>([
            ["text", text],
            ["at", BigInt(100 * half + index)],
          ]),
        })),
      );
      await store.seal();
    }
    if (how === "sealed and merged") {
      await store.merge();
      expect(store.stats().segments).toBe(1);
    }
    const { entries } = await searchAll(store, { order: "oldest" });
    expect(entries).toHaveLength(2 * TEXTS.length);
    for (const [index, [what, text, needle]] of TEXTS.entries()) {
      expect(entries[index], what).toMatchObject({ message: text, attributes: { text } });
      const found = await searchAll(store, { filter: holds(needle), order: "oldest" });
      const expected = TEXTS.filter(([, other]) => other.includes(needle)).length;
      expect(found.entries, `${what}: ${needle}`).toHaveLength(2 * expected);
    }
  });
});

function holds(text: string): Filter {
  const match = {
    kind: "literal",
    text,
    anyCase: false,
    startsAtWord: false,
    endsAtWord: false,
  } as const;
  return { kind: "field", field: { target: "message" }, test: { op: "contains", match } };
}
