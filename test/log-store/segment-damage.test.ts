import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AnyValue } from "../../src/core/any-value.ts";
import { LONG_TEST_MS } from "../run-size.ts";
import { appendLogs, lawHolds, openStore, searchAll, temporaryFolder } from "./store-user.ts";

/** Texts with slots of each kind, and with several clauses. */
const ONE = 'frame 17 of blk_42 took 12 ms, id="4bf92f35-77b3-4da6-a3ce-929d0e0e4736"';
const TWO = 'frame 180 of blk_7 took 3 ms, id="00f067aa0ba902b7"';

/** A closed store with one segment, and the segment's path. */
async function sealedStore(): Promise<{ readonly directory: string; readonly path: string }> {
  const directory = temporaryFolder();
  const store = await openStore(directory);
  await appendLogs(store, [
    {
      body: ONE,
      attributes: new Map<string, AnyValue>([
        ["k", 1n],
        ["path", "/orders/9106"],
      ]),
    },
    { body: TWO, eventName: "late", attributes: new Map([["path", "/orders/17"]]) },
  ]);
  await store.seal();
  await store.close();
  const folder = join(directory, "segments");
  return { directory, path: join(folder, readdirSync(folder)[0] ?? "") };
}

/** Opens the store, searches it, and says what came of it. */
async function outcome(
  directory: string,
): Promise<{ readonly messages: readonly string[]; readonly isNoticed: boolean }> {
  const complaints: string[] = [];
  const complain = (text: string): void => void complaints.push(text);
  const log = { info: () => undefined, warn: complain, error: complain };
  const store = await openStore(directory, { log });
  try {
    const { entries, end } = await searchAll(store);
    expect(lawHolds(store)).toBe(true);
    const isNoticed = end.status === "partial" || complaints.length > 0;
    return { messages: entries.map(({ message }) => message), isNoticed };
  } finally {
    await store.close();
  }
}

test(
  "no damaged byte of a segment changes an answer without being noticed, and the store always starts",
  async () => {
    const { directory, path } = await sealedStore();
    const good = readFileSync(path);
    const manifest = readFileSync(join(directory, "manifest.json"));
    let noticedCount = 0;
    for (let offset = 0; offset < good.length; offset += 7) {
      const bytes = Buffer.from(good);
      bytes[offset] ^= 0x20;
      writeFileSync(path, bytes);
      writeFileSync(join(directory, "manifest.json"), manifest);
      const { messages, isNoticed } = await outcome(directory);
      // A column that the answer does not show is not read, and so not checked.
      if (!isNoticed) expect(messages, `byte ${offset}`).toEqual([ONE, TWO]);
      else noticedCount += 1;
    }
    expect((noticedCount * 7) / good.length).toBeGreaterThan(0.98);
  },
  LONG_TEST_MS,
);

test(
  "a segment that is cut at any length is set aside and counted",
  async () => {
    const { directory, path } = await sealedStore();
    const good = readFileSync(path);
    const manifest = readFileSync(join(directory, "manifest.json"));
    for (let length = 0; length < good.length; length += 41) {
      writeFileSync(path, good.subarray(0, length));
      writeFileSync(join(directory, "manifest.json"), manifest);
      const store = await openStore(directory);
      expect(store.counters().logs).toMatchObject({ stored: 2, damaged: 2 });
      expect(readdirSync(join(directory, "segments")), `cut at ${length}`).toEqual([]);
      await store.close();
    }
  },
  LONG_TEST_MS,
);
