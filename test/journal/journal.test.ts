import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { journalFileName, keysFileName } from "../../src/journal/file-name.ts";
import { COMMIT_BYTES_MAX, RELEASE_BYTES_MIN } from "../../src/journal/limits.ts";
import { NodeStorage } from "../../src/journal/node-storage.ts";
import type { StorageFile } from "../../src/journal/storage.ts";
import { FaultStorage } from "../fault/fault-storage.ts";
import { JournalUser, makeFrame } from "./journal-user.ts";

let root = "";
let user: JournalUser;
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "journal-"));
  user = new JournalUser(root);
});
afterEach(() => fs.rmSync(root, { recursive: true }));

/** A real disk whose syncs of files wait until the test lets them go. */
class GatedStorage extends NodeStorage {
  syncCount = 0;
  readonly #started: (() => void)[] = [];
  #onStart: (() => void) | undefined;

  /** Resolves once a sync is asked for, with what lets it go. */
  async nextSync(): Promise<() => void> {
    for (;;) {
      const start = this.#started.shift();
      if (start !== undefined) return start;
      await new Promise<void>((resolve) => (this.#onStart = resolve));
    }
  }

  override async create(file: string): Promise<StorageFile> {
    const inner = await super.create(file);
    return {
      write: (buffers) => inner.write(buffers),
      close: () => inner.close(),
      sync: async () => {
        this.syncCount++;
        await new Promise<void>((resolve) => {
          this.#started.push(resolve);
          this.#onStart?.();
        });
        await inner.sync();
      },
    };
  }
}

const MINUTE_MS = 60_000;

describe("a journal", () => {
  test("gives back what was committed, in order, over a real disk", async () => {
    const storage = new NodeStorage();
    await user.open(storage);
    user.append(20);
    await user.flush();
    user.append(5, 100_000);
    user.append(3, 0);
    await user.journal.close();
    expect(user.committed.size).toBe(28);
    expect(user.journal.fileCount).toBeGreaterThan(1);
    const { frames, report } = await user.reopen(storage);
    expect(frames).toHaveLength(28);
    expect(report).toEqual({
      frameCount: 28,
      damagedCount: 0,
      damage: [],
      cutBytes: 0,
      nextSeq: 28 * 3,
    });
    expect(user.journal.sizeBytes).toBeGreaterThan(500_000);
    await user.journal.close();
  });

  test("shares one sync among all that is appended while the last one runs", async () => {
    const storage = new GatedStorage();
    await user.open(storage);
    user.append(3);
    const firstSync = await storage.nextSync();
    user.append(4);
    await new Promise(setImmediate);
    user.append(5);
    firstSync();
    const secondSync = await storage.nextSync();
    expect(user.committed.size).toBe(3);
    secondSync();
    await user.flush();
    expect([user.committed.size, storage.syncCount]).toEqual([12, 2]);
    await user.journal.close();
  });

  test("bounds a shared write, so that what came first is acknowledged first", async () => {
    const storage = new FaultStorage(root);
    user = new JournalUser(root, 10 * COMMIT_BYTES_MAX);
    await user.open(storage);
    user.append(3, 0.4 * COMMIT_BYTES_MAX);
    user.append(1, 2 * COMMIT_BYTES_MAX);
    await user.flush();
    expect(user.committed.size).toBe(4);
    expect(storage.trace.filter((call) => call.kind === "write")).toHaveLength(3);
    await user.journal.close();
  });

  test("calls back after append has returned, also for what a callback appends", async () => {
    const events: string[] = [];
    const { Journal } = await import("../../src/journal/journal.ts");
    const { journal } = await Journal.open({
      storage: new NodeStorage(),
      directory: user.directory,
      clock: user.clock,
      mode: "write",
      onFrame: () => {},
      onCommitted: (count) => {
        events.push(`committed ${count}`);
        if (events.length === 2) journal.append(makeFrame(30));
      },
    });
    journal.append(makeFrame(10));
    events.push("appended");
    await journal.flush();
    await journal.close();
    expect(events).toEqual(["appended", "committed 1", "committed 1"]);
  });

  test("flushes at once where nothing is pending", async () => {
    await user.open(new NodeStorage());
    await user.journal.flush();
    await user.journal.close();
    await user.journal.close();
  });

  test("takes no frame after it is closed, and none whose number was used", async () => {
    await user.open(new NodeStorage());
    user.append(2);
    expect(() => user.journal.append(makeFrame(3))).toThrow("sequence numbers ascend");
    await user.journal.close();
    expect(user.committed.size).toBe(2);
    expect(() => user.journal.append(makeFrame(10))).toThrow(
      expect.objectContaining({ code: "STORE_CLOSED" }),
    );
  });

  test("that is open for reading changes nothing", async () => {
    const storage = new FaultStorage(root);
    await user.open(storage);
    user.append(3);
    await user.journal.close();
    const file = path.join(user.directory, journalFileName(1));
    fs.appendFileSync(file, "a torn tail");
    const reader = new FaultStorage(root);
    const { frames, report } = await user.open(reader, "read");
    expect(frames).toHaveLength(3);
    expect(report.cutBytes).toBe(11);
    expect(() => user.journal.append(makeFrame(100))).toThrow("open for reading");
    expect(() => user.journal.release(100)).toThrow("open for reading");
    await user.journal.close();
    expect(reader.trace).toEqual([]);
  });

  test("in a folder that cannot be made says which and why", async () => {
    fs.writeFileSync(user.directory, "a file");
    await expect(user.open(new NodeStorage())).rejects.toMatchObject({
      code: "STORE_UNWRITABLE",
      message: expect.stringContaining(user.directory) as unknown,
    });
  });

  test("begins a file of its own at each opening, and never uses a number twice", async () => {
    const storage = new NodeStorage();
    for (let round = 0; round < 3; round++) {
      await user.reopen(storage);
      user.append(1);
      await user.journal.close();
    }
    expect(fs.readdirSync(user.directory).sort()).toEqual([1, 2, 3].map(journalFileName));
  });
});

describe("release", () => {
  test("removes the files in which every number is below, and no other", async () => {
    await user.open(new NodeStorage());
    for (let index = 0; index < 6; index++) {
      user.append(1, 1500);
      await user.flush();
    }
    expect(user.journal.fileCount).toBe(6);
    await user.release(2);
    expect(user.journal.fileCount).toBe(6);
    await user.release(3);
    expect(user.journal.fileCount).toBe(5);
    await user.release(11);
    expect(user.journal.fileCount).toBe(3);
    await user.release(Number.MAX_SAFE_INTEGER);
    expect(user.journal.fileCount).toBe(1);
    await user.journal.close();
    const { frames, report } = await user.reopen(new NodeStorage());
    expect(frames.map((frame) => frame.firstSeq)).toEqual([15]);
    expect(report.nextSeq).toBe(18);
    await user.journal.close();
  });

  test("replaces the newest file by an empty one if it is large and nothing in it is needed", async () => {
    user = new JournalUser(root, 8 * RELEASE_BYTES_MIN);
    await user.open(new NodeStorage());
    user.append(1, RELEASE_BYTES_MIN);
    await user.flush();
    await user.release(2);
    expect(user.journal.sizeBytes).toBeGreaterThan(RELEASE_BYTES_MIN);
    await user.release(3);
    expect([user.journal.fileCount, user.journal.sizeBytes]).toEqual([1, 256]);
    user.append(1);
    await user.release(6);
    await user.journal.close();
    const { frames, report } = await user.reopen(new NodeStorage());
    expect([frames.length, report.nextSeq]).toEqual([1, 6]);
    await user.journal.close();
  });

  test("is not held up by appends that never stop", async () => {
    user = new JournalUser(root, 8 * RELEASE_BYTES_MIN);
    await user.open(new NodeStorage());
    user.append(1, RELEASE_BYTES_MIN);
    await user.flush();
    const appending = new AbortController();
    const release = user.release(3).finally(() => appending.abort());
    while (!appending.signal.aborted) {
      user.append(1);
      await new Promise(setImmediate);
    }
    await release;
    expect(user.journal.sizeBytes).toBeLessThan(RELEASE_BYTES_MIN);
    await user.journal.close();
  });

  test("keeps the retry keys of a file that goes, until they are ten minutes old", async () => {
    await user.open(new NodeStorage());
    user.append(2, 1500);
    await user.flush();
    user.clock.unixMs += 6 * MINUTE_MS;
    user.append(1, 1500);
    await user.flush();
    user.append(1, 500);
    await user.flush();
    await user.release(9);
    await user.journal.close();
    expect(fs.readdirSync(user.directory).filter((name) => name.endsWith(".keys"))).toHaveLength(2);
    const first = await user.reopen(new NodeStorage());
    const expected = [...user.committed.values()]
      .slice(0, 3)
      .map((frame) => [
        Buffer.from(frame.retryKey).toString("hex"),
        [frame.receivedUnixMs, frame.receivedCount, frame.rejected.length],
      ]);
    expect([...first.keys]).toEqual(expected);
    user.clock.unixMs += 4 * MINUTE_MS;
    await user.release(9);
    await user.journal.close();
    const second = await user.reopen(new NodeStorage());
    expect([...second.keys]).toEqual(expected.slice(2));
    user.clock.unixMs += 6 * MINUTE_MS;
    await user.release(9);
    await user.journal.close();
    expect(fs.readdirSync(user.directory).filter((name) => name.endsWith(".keys"))).toEqual([]);
  });

  test("writes down no key of a duplicate: the request that it repeats has it", async () => {
    await user.open(new NodeStorage());
    user.journal.append(makeFrame(10, { isDuplicate: true, payload: Buffer.alloc(1500) }));
    await user.journal.flush().catch(() => undefined);
    await user.journal.close();
    await user.open(new NodeStorage());
    user.journal.append(makeFrame(20));
    await user.journal.flush();
    await user.journal.release(15);
    await user.journal.close();
    expect(fs.readdirSync(user.directory)).toEqual([journalFileName(2)]);
  });

  test("that fails says so, and the next one does what is left", async () => {
    const storage = new FaultStorage(root);
    await user.open(storage);
    for (let index = 0; index < 4; index++) {
      user.append(1, 1500);
      await user.flush();
    }
    for (const kind of ["create", "write", "sync", "rename", "syncDirectory"] as const) {
      storage.fail(kind, 1);
      await expect(user.release(9), kind).rejects.toMatchObject({ code: "STORE_UNWRITABLE" });
      expect(user.journal.fileCount, kind).toBe(4);
    }
    // The first two removals are of what earlier tries left.
    storage.fail("remove", 2);
    await expect(user.release(9)).rejects.toMatchObject({ code: "STORE_UNWRITABLE" });
    await user.release(9);
    expect(user.journal.fileCount).toBe(1);
    await user.journal.close();
    const { keys } = await user.reopen(storage.crash());
    expect(keys.size).toBe(3);
    await user.journal.close();
  });

  test("with damaged keys on disk loses them alone, and says so", async () => {
    await user.open(new NodeStorage());
    for (let index = 0; index < 3; index++) {
      user.append(1, 1500);
      await user.flush();
    }
    await user.release(6);
    await user.journal.close();
    const file = path.join(user.directory, keysFileName(1));
    const whole = fs.readFileSync(file);
    for (let offset = 0; offset < whole.length; offset++) {
      const bytes = Buffer.from(whole);
      bytes[offset] ^= 0x5a;
      fs.writeFileSync(file, bytes);
      const { frames, keys, report } = await user.open(new NodeStorage(), "read");
      expect([frames.length, keys.size, report.damagedCount], `byte ${offset}`).toEqual([1, 1, 1]);
      expect(report.damage[0]).toContain(keysFileName(1));
    }
    for (let length = 0; length < whole.length; length++) {
      fs.writeFileSync(file, whole.subarray(0, length));
      const { keys, report } = await user.open(new NodeStorage(), "read");
      expect([keys.size, report.damagedCount], `cut at ${length}`).toEqual([1, 1]);
    }
  });
});
