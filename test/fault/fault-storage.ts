import fs from "node:fs";
import path from "node:path";
import type { Storage, StorageEntry, StorageFile } from "../../src/journal/storage.ts";

/**
 * A disk that can be cut from its power, for tests. It works on a real folder, so that plain `fs`
 * reads what is there, and keeps beside it what would survive: for each file the bytes at its last
 * sync, for each folder the entries at its last sync.
 *
 * Every call waits one turn, so that others come in between, then takes effect whole: a crash falls
 * between two calls.
 */

export const FAULT_KINDS = [
  "makeDirectory",
  "create",
  "write",
  "sync",
  "truncate",
  "rename",
  "remove",
  "syncDirectory",
] as const;

/** The calls that change something. Reading never fails here. */
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface FaultCall {
  readonly kind: FaultKind;
  readonly path: string;
}

export interface FaultOptions {
  /** The error's code, as the file system gives it. */
  readonly code?: string;
  /** Fail every call from this one on, until `heal`; otherwise only this one. */
  readonly isLasting?: boolean;
  /** Of a write: so many bytes reach the file before it fails. */
  readonly writtenBytes?: number;
  /** Of a sync: it says that it failed, and yet everything is on disk. */
  readonly takesEffect?: boolean;
}

export interface CrashOptions {
  /**
   * What a file keeps of the bytes behind its last sync: nothing, a random first part, or its whole
   * length with some pages zero.
   */
  readonly content?: "lost" | "torn" | "pages";
  /**
   * Which creations, renames and removals behind the folder's last sync stay; "removals" is the
   * worst order: what went is gone, and what was to take its place is not there.
   */
  readonly entries?: "undone" | "kept" | "removals" | "random";
  /** From 0 up to 1, 1 left out. */
  readonly random?: () => number;
  readonly pageBytes?: number;
}

interface Rule extends FaultOptions {
  readonly kind: FaultKind;
  readonly nth: number;
}

/** A file, whatever its names are. */
interface Inode {
  /** Written only behind `size`, so that views of it stay what they were. */
  data: Buffer;
  size: number;
  synced: Buffer;
}

type Entry = Inode | "directory";

/** A change of a folder's entries that no sync has made durable yet. */
type EntryChange =
  | { readonly kind: "put"; readonly path: string; readonly entry: Entry }
  | { readonly kind: "remove"; readonly path: string }
  | { readonly kind: "rename"; readonly path: string; readonly to: string };

export class FaultStorage implements Storage {
  readonly root: string;
  readonly trace: FaultCall[] = [];
  readonly #current = new Map<string, Entry>();
  #durable = new Map<string, Entry>();
  #changes: EntryChange[] = [];
  readonly #descriptors = new Set<number>();
  #rules: Rule[] = [];
  readonly #ignoredSyncs = new Set<number>();
  #haltAt = Number.POSITIVE_INFINITY;
  #isOff = false;

  /** All that stands in the folder now counts as synced. */
  constructor(root: string) {
    this.root = root;
    for (const entry of fs.readdirSync(root, { withFileTypes: true, recursive: true })) {
      const entryPath = path.join(entry.parentPath, entry.name);
      this.#current.set(
        entryPath,
        entry.isDirectory() ? "directory" : inodeOf(fs.readFileSync(entryPath)),
      );
    }
    this.#durable = new Map(this.#current);
  }

  /** Fails the `nth` call of a kind from now on, 1 being the next. */
  fail(kind: FaultKind, nth: number, options: FaultOptions = {}): void {
    this.#rules.push({ kind, nth: this.#countOf(kind) + nth, ...options });
  }

  /** Takes every fault back. */
  heal(): void {
    this.#rules = [];
  }

  /** Lets the `nth` sync of a file or folder, since the beginning, do nothing and say it is done. */
  ignoreSync(nth: number): void {
    this.#ignoredSyncs.add(nth);
  }

  /** The `nth` call since the beginning and all later ones do nothing and fail. */
  haltAt(nth: number): void {
    this.#haltAt = nth;
  }

  /** Syncs of files and folders so far. */
  get syncCount(): number {
    return this.#countOf("sync") + this.#countOf("syncDirectory");
  }

  /** The process is gone, the machine is not: everything written is still there to be read. */
  kill(): FaultStorage {
    this.#turnOff();
    const next = new FaultStorage(this.root);
    next.#durable = this.#durable;
    next.#changes = this.#changes;
    next.#current.clear();
    for (const [entryPath, entry] of this.#current) next.#current.set(entryPath, entry);
    return next;
  }

  /** Cuts the power, and gives the disk as it is when the machine is up again. */
  crash(options: CrashOptions = {}): FaultStorage {
    const { content = "lost", entries = "undone", random = Math.random } = options;
    this.#turnOff();
    const left = new Map(this.#durable);
    for (const change of this.#changes) {
      const isKept =
        entries === "kept" ||
        (entries === "removals" && change.kind === "remove") ||
        (entries === "random" && random() < 0.5);
      if (isKept) apply(left, change);
    }
    for (const name of fs.readdirSync(this.root)) {
      fs.rmSync(path.join(this.root, name), { recursive: true });
    }
    const paths = [...left.keys()].sort((a, b) => a.length - b.length);
    for (const entryPath of paths) {
      const entry = left.get(entryPath);
      const parent = path.dirname(entryPath);
      if (entry === undefined || (parent !== this.root && !fs.existsSync(parent))) continue;
      if (entry === "directory") fs.mkdirSync(entryPath);
      else fs.writeFileSync(entryPath, survive(entry, content, random, options.pageBytes ?? 512));
    }
    return new FaultStorage(this.root);
  }

  async makeDirectory(directory: string): Promise<void> {
    await this.#enter("makeDirectory", directory);
    const missing: string[] = [];
    for (let at = directory; !fs.existsSync(at); at = path.dirname(at)) missing.unshift(at);
    for (const at of missing) {
      fs.mkdirSync(at);
      this.#put(at, "directory");
    }
  }

  async list(directory: string): Promise<readonly StorageEntry[]> {
    this.#checkOn();
    return fs
      .readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => ({ name, sizeBytes: fs.statSync(path.join(directory, name)).size }));
  }

  async read(file: string, sizeBytesMax?: number): Promise<Uint8Array> {
    this.#checkOn();
    return fs.readFileSync(file).subarray(0, sizeBytesMax);
  }

  async create(file: string): Promise<StorageFile> {
    await this.#enter("create", file);
    const descriptor = fs.openSync(file, "ax");
    this.#descriptors.add(descriptor);
    const inode = inodeOf(Buffer.alloc(0));
    this.#put(file, inode);
    return {
      write: async (buffers) => {
        const bytes = Buffer.concat(buffers);
        await this.#enter("write", file, (rule) => {
          this.#append(descriptor, inode, bytes.subarray(0, rule.writtenBytes ?? 0));
        });
        this.#append(descriptor, inode, bytes);
      },
      sync: async () => {
        const sync = (): void => syncInode(inode);
        if (await this.#enterSync("sync", file, sync)) sync();
      },
      close: async () => {
        if (this.#descriptors.delete(descriptor)) fs.closeSync(descriptor);
      },
    };
  }

  async truncate(file: string, sizeBytes: number): Promise<void> {
    await this.#enter("truncate", file);
    fs.truncateSync(file, sizeBytes);
    const inode = this.#inodeAt(file);
    // A copy: what is behind must not be written over while `synced` views it.
    inode.data = Buffer.from(inode.data.subarray(0, sizeBytes));
    inode.size = sizeBytes;
  }

  async sync(file: string): Promise<void> {
    const sync = (): void => syncInode(this.#inodeAt(file));
    if (await this.#enterSync("sync", file, sync)) sync();
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#enter("rename", from);
    fs.renameSync(from, to);
    this.#change({ kind: "rename", path: from, to });
  }

  async remove(file: string): Promise<void> {
    await this.#enter("remove", file);
    if (!fs.existsSync(file)) return;
    fs.unlinkSync(file);
    this.#change({ kind: "remove", path: file });
  }

  async freeBytes(): Promise<number> {
    return Number.POSITIVE_INFINITY;
  }

  async syncDirectory(directory: string): Promise<void> {
    const sync = (): void => {
      const isHere = (change: EntryChange): boolean => path.dirname(change.path) === directory;
      for (const change of this.#changes) if (isHere(change)) apply(this.#durable, change);
      this.#changes = this.#changes.filter((change) => !isHere(change));
    };
    if (await this.#enterSync("syncDirectory", directory, sync)) sync();
  }

  /** Notes a call, and throws if it is to fail; `failing` does what a failed call still does. */
  async #enter(kind: FaultKind, target: string, failing?: (rule: Rule) => void): Promise<void> {
    await new Promise(setImmediate);
    this.#checkOn();
    this.trace.push({ kind, path: path.relative(this.root, target) });
    if (this.trace.length >= this.#haltAt) throw new Error("the machine is halted");
    const nth = this.#countOf(kind);
    const rule = this.#rules.find(
      (candidate) =>
        candidate.kind === kind &&
        (candidate.nth === nth || (candidate.isLasting === true && nth > candidate.nth)),
    );
    if (rule === undefined) return;
    failing?.(rule);
    const code = rule.code ?? "EIO";
    throw Object.assign(new Error(`${code}: ${kind} '${target}'`), { code });
  }

  /** Whether the sync is to be done. */
  async #enterSync(
    kind: "sync" | "syncDirectory",
    target: string,
    sync: () => void,
  ): Promise<boolean> {
    await this.#enter(kind, target, (rule) => {
      if (rule.takesEffect === true) sync();
    });
    return !this.#ignoredSyncs.has(this.syncCount);
  }

  #countOf(kind: FaultKind): number {
    return this.trace.reduce((count, call) => count + (call.kind === kind ? 1 : 0), 0);
  }

  #checkOn(): void {
    if (this.#isOff) throw new Error("the machine is off");
  }

  #turnOff(): void {
    this.#isOff = true;
    for (const descriptor of this.#descriptors) fs.closeSync(descriptor);
    this.#descriptors.clear();
  }

  #append(descriptor: number, inode: Inode, bytes: Buffer): void {
    fs.writeSync(descriptor, bytes);
    if (inode.size + bytes.length > inode.data.length) {
      const larger = Buffer.alloc(2 * (inode.size + bytes.length));
      inode.data.copy(larger, 0, 0, inode.size);
      inode.data = larger;
    }
    inode.data.set(bytes, inode.size);
    inode.size += bytes.length;
  }

  #put(entryPath: string, entry: Entry): void {
    this.#change({ kind: "put", path: entryPath, entry });
  }

  #change(change: EntryChange): void {
    apply(this.#current, change);
    this.#changes.push(change);
  }

  #inodeAt(file: string): Inode {
    const entry = this.#current.get(file);
    if (entry === undefined || entry === "directory") throw new Error(`ENOENT: '${file}'`);
    return entry;
  }
}

function inodeOf(bytes: Buffer): Inode {
  return { data: bytes, size: bytes.length, synced: bytes };
}

function syncInode(inode: Inode): void {
  inode.synced = inode.data.subarray(0, inode.size);
}

function apply(entries: Map<string, Entry>, change: EntryChange): void {
  switch (change.kind) {
    case "put":
      entries.set(change.path, change.entry);
      return;
    case "remove":
      entries.delete(change.path);
      return;
    case "rename": {
      const entry = entries.get(change.path);
      if (entry === undefined) return;
      entries.delete(change.path);
      entries.set(change.to, entry);
      return;
    }
  }
}

function survive(
  inode: Inode,
  content: "lost" | "torn" | "pages",
  random: () => number,
  pageBytes: number,
): Buffer {
  const unsyncedBytes = inode.size - inode.synced.length;
  if (content === "lost" || unsyncedBytes <= 0) return inode.synced;
  if (content === "torn") {
    const keptBytes = Math.floor(random() * (unsyncedBytes + 1));
    return inode.data.subarray(0, inode.synced.length + keptBytes);
  }
  const bytes = Buffer.from(inode.data.subarray(0, inode.size));
  for (let offset = inode.synced.length; offset < bytes.length; offset += pageBytes) {
    if (random() < 0.5) bytes.fill(0, offset, Math.min(offset + pageBytes, bytes.length));
  }
  return bytes;
}
