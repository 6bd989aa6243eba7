import { expect, test } from "vitest";
import { NodeStorage } from "../../src/journal/node-storage.ts";
import type { StorageFile } from "../../src/journal/storage.ts";
import { appendLogs, lawHolds, openStore, searchAll, temporaryFolder } from "./store-user.ts";

/** The machine's disk, but each sync of the journal waits until it is let go. */
class HeldStorage extends NodeStorage {
  isHeld = false;
  readonly #waiting: (() => void)[] = [];

  get waitingCount(): number {
    return this.#waiting.length;
  }

  letOneGo(): void {
    this.#waiting.shift()?.();
  }

  override async create(file: string): Promise<StorageFile> {
    const created = await super.create(file);
    return {
      write: (buffers) => created.write(buffers),
      sync: async () => {
        if (this.isHeld && file.endsWith(".journal"))
          await new Promise<void>((resolve) => this.#waiting.push(resolve));
        await created.sync();
      },
      close: () => created.close(),
    };
  }
}

test("rows that wait for their sync are left alone by sealing, and nothing else stands still", async () => {
  const storage = new HeldStorage();
  const store = await openStore(temporaryFolder(), { storage });
  storage.isHeld = true;
  const first = appendLogs(store, [{ body: "first" }]);
  await expect.poll(() => storage.waitingCount).toBe(1);
  // More than a seal waits for, and none of it on disk when the first request's answer comes.
  const text = "x".repeat(3 * 1024 * 1024);
  const large = Array.from({ length: 16 }, (_, index) =>
    appendLogs(store, [{ body: `${index} ${text}` }]),
  );
  storage.letOneGo();
  await first;
  await expect.poll(() => store.stats().segments).toBe(1);
  storage.isHeld = false;
  while (storage.waitingCount > 0) storage.letOneGo();
  await Promise.all(large);
  expect(store.counters().logs).toMatchObject({ stored: 17, pending: 0 });
  expect(lawHolds(store)).toBe(true);
  expect((await searchAll(store)).entries).toHaveLength(17);
});
