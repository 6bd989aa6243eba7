import { basename } from "node:path";
import { writeSync } from "node:fs";
import { NodeStorage } from "../../src/journal/node-storage.ts";
import type { StorageFile } from "../../src/journal/storage.ts";
import type { Merger } from "../../src/log-store/merger.ts";
import type { Sealer } from "../../src/log-store/sealer.ts";
import type { DeathPoint, KillPhase } from "./kill-messages.ts";
import { phaseBit } from "./kill-messages.ts";

const JOURNAL_FILE = /\.journal$/;
/** `logs-2026-11-22-000000000001.seg`, and while it is written `.seg.tmp` */
const SEALED_FILE = /-\d{12}\.seg(\.tmp)?$/;
/** `logs-2026-11-22-000000000001-000000170000.seg` */
export const MERGED_FILE = /-\d{12}-\d{12}\.seg(\.tmp)?$/;
const MANIFEST_FILE = /^manifest\.json/;

/**
 * The machine's file system, which says in a file of one byte what the store is doing, and ends the
 * process at the call that it was told. What the process wrote into that file outlives it.
 *
 * Which phase a call belongs to is read from its path: a manifest belongs to the segment that was
 * renamed before it, or else to retention, and what is removed behind it to the same.
 */
export class KillStorage extends NodeStorage {
  readonly #phaseFile: number;
  readonly #death: DeathPoint | undefined;
  readonly #counts = new Map<KillPhase, number>();
  /** How many calls of each phase are under way. */
  readonly #active = new Map<KillPhase, number>();
  #hasStarted = false;
  /** What the next manifest, and the removals behind it, belong to. */
  #step: KillPhase = "retention";
  #mask = -1;

  constructor(phaseFile: number, death: DeathPoint | undefined) {
    super();
    this.#phaseFile = phaseFile;
    this.#death = death;
    this.#show();
  }

  /** The store is open: what comes from now on is its life. */
  start(): void {
    this.#hasStarted = true;
    this.#show();
  }

  /** A seal counts as one from the moment on that its columns are read, a merge likewise. */
  watchSealer(sealer: Sealer): Sealer {
    return {
      seal: (task) => this.#during("seal", () => sealer.seal(task)),
      close: () => sealer.close(),
    };
  }

  watchMerger(merger: Merger): Merger {
    return {
      merge: (request) => this.#during("merge", () => merger.merge(request)),
      check: (paths, signal) => merger.check(paths, signal),
      close: () => merger.close(),
    };
  }

  override async create(path: string): Promise<StorageFile> {
    const phase = this.#phaseOf(path);
    const file = await this.#call(phase, () => super.create(path));
    return {
      write: (buffers) => this.#call(phase, () => file.write(buffers)),
      sync: () => this.#call(phase, () => file.sync()),
      close: () => file.close(),
    };
  }

  override makeDirectory(path: string): Promise<void> {
    return this.#call(this.#phaseOf(path), () => super.makeDirectory(path));
  }

  override read(path: string, sizeBytesMax?: number): Promise<Uint8Array> {
    return this.#call(this.#phaseOf(path), () => super.read(path, sizeBytesMax));
  }

  override truncate(path: string, sizeBytes: number): Promise<void> {
    return this.#call(this.#phaseOf(path), () => super.truncate(path, sizeBytes));
  }

  override sync(path: string): Promise<void> {
    return this.#call(this.#phaseOf(path), () => super.sync(path));
  }

  override async rename(from: string, to: string): Promise<void> {
    const phase = this.#phaseOf(to);
    await this.#call(phase, () => super.rename(from, to));
    if (phase === "seal" || phase === "merge") this.#step = phase;
  }

  override remove(path: string): Promise<void> {
    const isRemoval = JOURNAL_FILE.test(path) || SEALED_FILE.test(path) || MERGED_FILE.test(path);
    const phase = isRemoval ? this.#step : this.#phaseOf(path);
    return this.#call(phase, () => super.remove(path));
  }

  override async syncDirectory(path: string): Promise<void> {
    const phase = basename(path) === "journal" ? "journal" : this.#step;
    await this.#call(phase, () => super.syncDirectory(path));
  }

  #phaseOf(path: string): KillPhase {
    const name = basename(path);
    if (MERGED_FILE.test(name)) return "merge";
    if (SEALED_FILE.test(name)) return "seal";
    return MANIFEST_FILE.test(name) ? this.#step : "journal";
  }

  async #call<Result>(phase: KillPhase, call: () => Promise<Result>): Promise<Result> {
    const counted = this.#hasStarted ? phase : "start";
    const nth = (this.#counts.get(counted) ?? 0) + 1;
    this.#counts.set(counted, nth);
    const death = this.#death;
    if (death?.phase !== counted || death.nth !== nth) return this.#during(counted, call);
    return this.#during(counted, async () => {
      if (death.when === "before") die();
      const done = call();
      if (death.when === "during") die();
      await done;
      return die();
    });
  }

  async #during<Result>(phase: KillPhase, call: () => Promise<Result>): Promise<Result> {
    this.#count(phase, 1);
    try {
      return await call();
    } finally {
      this.#count(phase, -1);
    }
  }

  #count(phase: KillPhase, change: number): void {
    this.#active.set(phase, (this.#active.get(phase) ?? 0) + change);
    this.#show();
  }

  #show(): void {
    let mask = this.#hasStarted ? 0 : phaseBit("start");
    for (const [phase, count] of this.#active) if (count > 0) mask |= phaseBit(phase);
    if (mask === this.#mask) return;
    this.#mask = mask;
    writeSync(this.#phaseFile, Uint8Array.of(mask), 0, 1, 0);
  }
}

/** As `kill -9` does it; the signal comes before this returns. */
function die(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("the process outlived its kill");
}
