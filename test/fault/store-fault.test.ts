import { expect, test } from "vitest";
import type { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import { lawHolds, messages, temporaryFolder } from "../log-store/store-user.ts";
import { LONG_TEST_MS, sampleOf } from "../run-size.ts";
import type { FaultCall } from "./fault-storage.ts";
import { FAULT_KINDS, FaultStorage } from "./fault-storage.ts";
import type { Life } from "./store-life.ts";
import {
  brokenPromise,
  crashAt,
  crashesAt,
  needlessSyncs,
  openForFaults,
  send,
  Told,
  undisturbed,
} from "./store-life.ts";

/** What a store does in its life: takes requests, seals, takes retries, seals again. */
const LIFE: Life = {
  async live(store: EmbeddedStore, told: Told): Promise<void> {
    await send(store, "a", told);
    await Promise.all([send(store, "b", told), send(store, "c", told)]);
    await store.seal();
    await send(store, "d", told);
    await send(store, "a", told);
    await store.seal();
    await send(store, "e", told);
  },
};

function open(storage: FaultStorage, told = new Told()): Promise<EmbeddedStore> {
  return openForFaults(storage, LIFE, told);
}

test(
  "the power cut at every call loses nothing acknowledged, twice nothing, invents nothing",
  async () => {
    const { length } = (await undisturbed(LIFE)).trace;
    for (let halt = 1; halt <= length + 1; halt++) {
      for (const crash of crashesAt(halt)) {
        const broken = await crashAt(LIFE, halt, crash);
        expect(broken, `call ${halt}, ${JSON.stringify(crash)}`).toBeUndefined();
      }
    }
  },
  LONG_TEST_MS,
);

test(
  "every sync that is left out is noticed: some crash behind it breaks a promise",
  async () => {
    const choose = (all: readonly FaultCall[]): ReadonlySet<FaultCall> => new Set(sampleOf(all, 3));
    expect(await needlessSyncs(LIFE, choose)).toEqual([]);
  },
  LONG_TEST_MS,
);

test.each(FAULT_KINDS)(
  "each %s that fails costs a refusal or a later seal, never a record",
  async (kind) => {
    const { trace } = await undisturbed(LIFE);
    const count = trace.filter((call) => call.kind === kind).length;
    for (let nth = 1; nth <= count; nth++) {
      const storage = new FaultStorage(temporaryFolder());
      const told = new Told();
      storage.fail(kind, nth, { code: "EIO" });
      // A start that fails says so; the next one succeeds.
      const store = await open(storage).catch(() => open(storage));
      await LIFE.live(store, told).catch(() => undefined);
      for (const name of ["a", "b", "c", "d", "e"]) {
        // A sender retries what was refused, with the same bytes.
        let isStored = false;
        for (let round = 0; round < 5 && !isStored; round++)
          isStored = await send(store, name, told);
        expect(isStored, `${kind} ${nth}: ${name} is never taken`).toBe(true);
      }
      await store.seal().catch(() => store.seal());
      expect(await messages(store)).toHaveLength(10);
      expect(lawHolds(store)).toBe(true);
      await store.close();
      expect(await brokenPromise(storage.crash(), told), `${kind} ${nth}`).toBeUndefined();
    }
  },
  LONG_TEST_MS,
);

test("a full disk refuses requests with a retryable answer, loses nothing, and recovers", async () => {
  const storage = new FaultStorage(temporaryFolder());
  const told = new Told();
  const store = await open(storage);
  await send(store, "before", told);
  storage.fail("write", 1, { code: "ENOSPC", isLasting: true });
  storage.fail("create", 1, { code: "ENOSPC", isLasting: true });
  expect(await send(store, "during", told)).toBe(false);
  expect(await send(store, "during", told)).toBe(false);
  await expect(store.seal()).rejects.toThrow("ENOSPC");
  expect(await messages(store)).toEqual(["before one", "before two"]);
  expect(lawHolds(store)).toBe(true);
  storage.heal();
  expect(await send(store, "during", told)).toBe(true);
  await store.seal();
  expect(store.counters().logs).toMatchObject({ stored: 4, dropped: 4 });
  await store.close();
  expect(await brokenPromise(storage.crash(), told)).toBeUndefined();
});
