import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import { matchesRecord } from "../query/naive-evaluator.ts";
import { LONG_TEST_MS, runs } from "../run-size.ts";
import { filter, recordsOf, request } from "./arbitrary-logs.ts";
import { logsRequest, openStore, searchAll, temporaryFolder } from "./store-user.ts";

/** What is done with the store between two requests. */
const between = fc.constantFrom("nothing", "nothing", "seal", "restart");

test(
  "random filters give what the naive evaluator gives, in time order, across seals and restarts (TIME-005)",
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(request, between), { minLength: 1, maxLength: 5 }),
        fc.array(filter, { minLength: 20, maxLength: 20 }),
        fc.constantFrom("newest" as const, "oldest" as const),
        async (steps, filters, order) => {
          const directory = temporaryFolder();
          let store: EmbeddedStore = await openStore(directory);
          for (const [{ records, resource: own, scope }, action] of steps) {
            const body = logsRequest(records, own, scope);
            // A principal of its own each time, so that equal requests are not taken for retries.
            await store.append({ signal: "logs", body, principal: String(Math.random()) });
            if (action === "seal") await store.seal();
            if (action === "restart") {
              await store.close();
              store = await openStore(directory);
            }
          }
          const all = recordsOf(steps.map(([step]) => step));
          const sign = order === "oldest" ? 1 : -1;
          const sorted = all.toSorted(
            (left, right) =>
              sign * (Number(left.timeUnixNs - right.timeUnixNs) || left.seq - right.seq),
          );
          for (const tree of filters) {
            const expected = sorted.filter((one) => matchesRecord(tree, one)).map(({ seq }) => seq);
            const { entries, end } = await searchAll(store, { filter: tree, order });
            expect(
              entries.map(({ seq }) => seq),
              JSON.stringify(tree),
            ).toEqual(expected);
            expect(end.status).toBe("complete");
          }
          await store.close();
        },
      ),
      { numRuns: runs({ part: 150, full: 2_000 }) },
    );
  },
  LONG_TEST_MS,
);
