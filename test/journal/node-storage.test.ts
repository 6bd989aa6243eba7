import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { dropBytes, NodeStorage } from "../../src/journal/node-storage.ts";
import type { Storage } from "../../src/journal/storage.ts";
import { FaultStorage } from "../fault/fault-storage.ts";

let root = "";
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "storage-"));
});
afterEach(() => fs.rmSync(root, { recursive: true }));

const STORAGES: Readonly<Record<string, () => Storage>> = {
  "the machine's storage": () => new NodeStorage(),
  "the storage with faults": () => new FaultStorage(root),
};

describe.each(Object.entries(STORAGES))("%s", (_name, begin) => {
  let storage: Storage;
  beforeEach(() => {
    storage = begin();
  });

  async function put(file: string, text: string): Promise<void> {
    const handle = await storage.create(file);
    await handle.write([Buffer.from(text)]);
    await handle.sync();
    await handle.close();
  }

  test("appends all buffers of all writes in order, empty ones and many of them too", async () => {
    const file = path.join(root, "a");
    const handle = await storage.create(file);
    const buffers = Array.from({ length: 5000 }, (_, index) => Buffer.from(`${index},`));
    await handle.write([Buffer.alloc(0), ...buffers]);
    await handle.write([]);
    await handle.write([Buffer.alloc(0)]);
    await handle.write([Buffer.from("end")]);
    await handle.sync();
    await handle.close();
    const expected = `${buffers.join("")}end`;
    expect(fs.readFileSync(file, "utf8")).toBe(expected);
    expect(Buffer.from(await storage.read(file)).toString()).toBe(expected);
    expect(Buffer.from(await storage.read(file, 5)).toString()).toBe("0,1,2");
    expect((await storage.read(file, 1e6)).length).toBe(expected.length);
  });

  test("creates no file over another", async () => {
    const file = path.join(root, "a");
    await put(file, "first");
    await expect(storage.create(file)).rejects.toMatchObject({ code: "EEXIST" });
    expect(fs.readFileSync(file, "utf8")).toBe("first");
  });

  test("makes folders, lists files alone, renames over, truncates and removes", async () => {
    const directory = path.join(root, "one", "two");
    await storage.makeDirectory(directory);
    await storage.makeDirectory(directory);
    await storage.makeDirectory(path.join(directory, "three"));
    await put(path.join(directory, "a"), "aaaa");
    await put(path.join(directory, "b"), "bb");
    await storage.rename(path.join(directory, "a"), path.join(directory, "b"));
    await put(path.join(directory, "c"), "");
    expect([...(await storage.list(directory))].sort((x, y) => (x.name < y.name ? -1 : 1))).toEqual(
      [
        { name: "b", sizeBytes: 4 },
        { name: "c", sizeBytes: 0 },
      ],
    );
    await storage.truncate(path.join(directory, "b"), 3);
    await storage.sync(path.join(directory, "b"));
    expect(Buffer.from(await storage.read(path.join(directory, "b"))).toString()).toBe("aaa");
    await storage.remove(path.join(directory, "b"));
    await storage.remove(path.join(directory, "b"));
    await storage.syncDirectory(directory);
    expect(await storage.list(directory)).toEqual([{ name: "c", sizeBytes: 0 }]);
  });

  test("rejects what is not there with the file system's error", async () => {
    const missing = path.join(root, "missing");
    await expect(storage.list(missing)).rejects.toMatchObject({ code: "ENOENT" });
    await expect(storage.read(missing)).rejects.toMatchObject({ code: "ENOENT" });
    await expect(storage.create(path.join(missing, "a"))).rejects.toMatchObject({ code: "ENOENT" });
    await expect(storage.truncate(missing, 0)).rejects.toMatchObject({ code: "ENOENT" });
    await expect(storage.rename(missing, `${missing}2`)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("the machine's storage", () => {
  test.skipIf(process.platform === "win32")("lets no other user read a file", async () => {
    const handle = await new NodeStorage().create(path.join(root, "a"));
    await handle.close();
    await new NodeStorage().makeDirectory(path.join(root, "d"));
    expect(fs.statSync(path.join(root, "a")).mode & 0o777).toBe(0o600);
    expect(fs.statSync(path.join(root, "d")).mode & 0o777).toBe(0o700);
  });

  test("goes on behind the bytes that a short write took", () => {
    const buffers = ["abc", "", "de", "f"].map((text) => Buffer.from(text));
    for (let count = 0; count <= 6; count++) {
      expect(Buffer.concat(dropBytes(buffers, count)).toString()).toBe("abcdef".slice(count));
    }
  });
});

describe("the storage with faults", () => {
  async function write(storage: Storage, name: string, text: string, isSynced: boolean) {
    const handle = await storage.create(path.join(root, name));
    await handle.write([Buffer.from(text)]);
    if (isSynced) await handle.sync();
    return handle;
  }

  test("loses at a crash what was not synced: bytes, creations, renames and removals", async () => {
    const storage = new FaultStorage(root);
    for (const name of ["kept", "renamed", "removed"]) await write(storage, name, "old", true);
    await storage.syncDirectory(root);
    const handle = await write(storage, "half", "synced,", true);
    await storage.syncDirectory(root);
    await handle.write([Buffer.from("not")]);
    await storage.rename(path.join(root, "renamed"), path.join(root, "kept"));
    await storage.remove(path.join(root, "removed"));
    await write(storage, "created", "synced, its folder is not", true);
    storage.crash();
    const left = fs
      .readdirSync(root)
      .map((name) => [name, fs.readFileSync(path.join(root, name), "utf8")]);
    expect(left).toEqual([
      ["half", "synced,"],
      ["kept", "old"],
      ["removed", "old"],
      ["renamed", "old"],
    ]);
  });

  test("keeps a part of the unsynced bytes where the crash is torn", async () => {
    const lengths = new Set<number>();
    for (let step = 0; step < 10; step++) {
      const storage = new FaultStorage(root);
      await (await write(storage, "a", "1234", true)).write([Buffer.from("5678")]);
      await storage.syncDirectory(root);
      storage.crash({ content: "torn", random: () => step / 10 });
      const text = fs.readFileSync(path.join(root, "a"), "utf8");
      expect("12345678".startsWith(text)).toBe(true);
      lengths.add(text.length);
      fs.rmSync(path.join(root, "a"));
    }
    expect([...lengths]).toEqual([4, 5, 6, 7, 8]);
  });

  test("is dead for those who used it before a crash or a kill", async () => {
    const storage = new FaultStorage(root);
    const handle = await write(storage, "a", "1", true);
    const next = storage.kill();
    await expect(handle.write([Buffer.from("2")])).rejects.toThrow("the machine is off");
    await expect(storage.remove(path.join(root, "a"))).rejects.toThrow("the machine is off");
    // Killing a process loses nothing; the folder is still not synced.
    expect(fs.readFileSync(path.join(root, "a"), "utf8")).toBe("1");
    next.crash();
    expect(fs.readdirSync(root)).toEqual([]);
  });

  test("fails the call it was told to, once or until it is healed, after a part of its effect", async () => {
    const storage = new FaultStorage(root);
    storage.fail("write", 2, { code: "ENOSPC", writtenBytes: 2, isLasting: true });
    const handle = await write(storage, "a", "one,", false);
    const again = (): Promise<void> => handle.write([Buffer.from("two,")]);
    await expect(again()).rejects.toMatchObject({ code: "ENOSPC" });
    await expect(again()).rejects.toMatchObject({ code: "ENOSPC" });
    storage.heal();
    await again();
    expect(fs.readFileSync(path.join(root, "a"), "utf8")).toBe("one,twtwtwo,");
    expect(storage.trace.map((call) => `${call.kind} ${call.path}`)).toEqual([
      "create a",
      ...Array.from({ length: 4 }, () => "write a"),
    ]);
  });
});
