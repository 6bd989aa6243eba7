import { z } from "zod";
import type { Filter } from "../../../src/core/filter.ts";
import { ALL_TIME } from "../../../src/core/time.ts";
import type { LogStore, SearchEnd } from "../../../src/log-store/log-store.ts";
import { ALL, BUDGET } from "../store-user.ts";

const point = z.looseObject({
  seq: z.number(),
  name: z.string(),
  value: z.number().nullable(),
  timestamp: z.string(),
});

/** All points that match, each as its entry, and the end of the search. */
export async function searchPoints(
  store: LogStore,
  {
    filter = ALL,
    order = "oldest",
  }: { readonly filter?: Filter; readonly order?: "newest" | "oldest" } = {},
): Promise<{ readonly entries: readonly z.infer<typeof point>[]; readonly end: SearchEnd }> {
  const request = { signal: "metrics", filter, range: ALL_TIME, order, budget: BUDGET } as const;
  const batches = store.search(request, new AbortController().signal);
  let text = "";
  for (;;) {
    const step = await batches.next();
    if (step.done === true) {
      const lines = text.split("\n").slice(0, -1);
      return { entries: lines.map((line) => point.parse(JSON.parse(line))), end: step.value };
    }
    text += new TextDecoder().decode(step.value.lines);
  }
}
