import { cpSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { z } from "zod";
import { SIGNALS } from "../../src/core/record.ts";
import type { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import { ALL_TIME } from "../../src/core/time.ts";
import { ALL, appendLogs, BUDGET, lawHolds, openStore, temporaryFolder } from "./store-user.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures", import.meta.url));
const stored = z.object({
  counters: z.record(z.string(), z.unknown()),
  expected: z.record(z.enum(SIGNALS), z.array(z.unknown())),
});

/** A store of each format version that was ever released. */
const versions = readdirSync(FIXTURES).filter((name) => name.startsWith("store-v"));

async function entriesOf(store: EmbeddedStore): Promise<Record<string, readonly unknown[]>> {
  const bySignal: Record<string, readonly unknown[]> = {};
  for (const signal of SIGNALS) {
    const request = {
      signal,
      filter: ALL,
      range: ALL_TIME,
      order: "oldest",
      budget: BUDGET,
    } as const;
    const entries: unknown[] = [];
    for await (const { lines } of store.search(request, new AbortController().signal)) {
      for (const line of new TextDecoder().decode(lines).split("\n").slice(0, -1)) {
        entries.push(JSON.parse(line));
      }
    }
    bySignal[signal] = entries;
  }
  return bySignal;
}

test.each(versions)(
  "%s opens, answers as it did when it was written, and goes on",
  async (version) => {
    const fixture = join(FIXTURES, version);
    const { counters, expected } = stored.parse(
      JSON.parse(readFileSync(join(fixture, "expected.json"), "utf8")),
    );
    const directory = temporaryFolder();
    cpSync(fixture, directory, { recursive: true });
    const store = await openStore(directory);
    expect(await entriesOf(store)).toEqual(expected);
    expect(store.counters()).toEqual(counters);
    await appendLogs(store, [{ body: "written later" }]);
    await store.seal();
    await store.close();
    const again = await openStore(directory);
    const logs = (await entriesOf(again))["logs"] ?? [];
    expect(logs).toHaveLength((expected.logs?.length ?? 0) + 1);
    expect(lawHolds(again)).toBe(true);
  },
);
