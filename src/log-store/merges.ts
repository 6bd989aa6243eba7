import { basename, join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { errorMessage } from "../core/errors.ts";
import type { Storage } from "../journal/storage.ts";
import type { ManifestState } from "./manifest.ts";
import type { MergeTask } from "./merge-encode.ts";
import { MergeFile } from "./merge-file.ts";
import type { MergeLimits, MergePlan } from "./merge-plan.ts";
import { planMerge } from "./merge-plan.ts";
import type { Merger } from "./merger.ts";
import type { SegmentEntry } from "./segment-format.ts";
import { entryOf } from "./segment-format.ts";
import { mergedFileName, temporaryName } from "./segment-names.ts";
import type { SegmentShelf } from "./segment-shelf.ts";
import type { StoreLog } from "./store-log.ts";

/** After a failed merge the next try waits this long, twice as long after each further one. */
const RETRY_MS = 5000;
const RETRY_MS_MAX = 600_000;

/** Partitions grow cold without any change: a plan is made anew after this long at the latest. */
const PLAN_AGE_MS_MAX = 60_000;

export interface MergesParts {
  readonly storage: Storage;
  readonly shelf: SegmentShelf;
  readonly merger: Merger;
  readonly clock: Clock;
  readonly log: StoreLog;
  readonly retentionMs: number | undefined;
  readonly limits: MergeLimits;
  /** The state to commit. */
  readonly state: () => ManifestState;
  /** Runs a step that writes the shelf, between those of seals and retention. */
  readonly enqueue: (step: () => Promise<void>) => Promise<void>;
  /** Resolves once no seal is being written to disk. */
  readonly giveWay: () => Promise<void>;
  /** Files were taken off the shelf. */
  readonly onReplaced: () => Promise<void>;
}

/** What merges did since the start. */
export interface MergeStats {
  readonly isUnderWay: boolean;
  readonly isDue: boolean;
  readonly doneCount: number;
  readonly rows: number;
  /** Bytes of results. */
  readonly bytes: number;
  readonly seconds: number;
  readonly failedCount: number;
  /** Merges that came to nothing: a source was damaged or expired, or the disk is too full. */
  readonly givenUpCount: number;
}

const NO_MERGES = { doneCount: 0, rows: 0, bytes: 0, seconds: 0, failedCount: 0, givenUpCount: 0 };

/**
 * Merges segments, one merge after the other, beside everything else.
 *
 *     plan ─▶ worker makes parts ─▶ temporary file, synced ─▶ rename, folder synced ─▶ manifest
 *             └──── no lock is held, seals and queries go on ────┘ └─── one step of the queue ───┘
 *
 * Merges give way to all else at first. Where twice as many segments wait as a merge needs, they
 * take their turns as seals and queries do; where twice as many wait as are pressing, seals wait
 * for them, and in the end the senders. So the number of segments has a bound.
 *
 * A merge that is cut short leaves a temporary file, which goes at the next start; it begins anew.
 *
 * Concurrency: one thread; calls join the merge that is under way.
 */
export class Merges {
  readonly #parts: MergesParts;
  /** Sources that a merge found damaged: what is good in them stays where it is. */
  readonly #excluded = new Set<string>();
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #stats = NO_MERGES;
  #plan: MergePlan | undefined;
  #planned: { readonly segments: readonly SegmentEntry[]; readonly atMs: number } | undefined;
  #notBeforeMs = 0;
  #retryMs = RETRY_MS;
  #isDiskFull = false;

  constructor(parts: MergesParts) {
    this.#parts = parts;
  }

  get stats(): MergeStats {
    const isDue = this.#nextPlan() !== undefined;
    return { ...this.#stats, isUnderWay: this.#running !== undefined, isDue };
  }

  /** So far that seals had better wait for the merge that is under way. */
  get isFarBehind(): boolean {
    if (this.#running === undefined) return false;
    const { pressingCount } = this.#parts.limits;
    return (this.#nextPlan()?.waitingCount ?? 0) > 2 * pressingCount;
  }

  /** Begins what is due, in the background; failures are logged and tried again later. */
  begin(): void {
    const { clock, log } = this.#parts;
    if (this.#running !== undefined || clock.monotonicMs() < this.#notBeforeMs) return;
    this.run().catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      log.error("a merge failed; nothing is lost, it is tried again", {
        error: errorMessage(error),
        waitMs: this.#retryMs,
      });
      this.#notBeforeMs = clock.monotonicMs() + this.#retryMs;
      this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX);
    });
  }

  /** Merges until nothing is due. Errors: the file system's, and those of the worker. */
  async run(): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
    if (this.#stop.signal.aborted || this.#nextPlan() === undefined) return;
    this.#running = this.#runAll().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async #runAll(): Promise<void> {
    for (;;) {
      const plan = this.#nextPlan();
      if (plan === undefined || this.#stop.signal.aborted) return;
      if (!(await this.#hasRoom(plan))) return;
      try {
        await this.#merge(plan);
        this.#retryMs = RETRY_MS;
      } catch (error) {
        if (!this.#stop.signal.aborted) this.#count({ failedCount: 1 });
        throw error;
      }
    }
  }

  #nextPlan(): MergePlan | undefined {
    const { shelf, clock, retentionMs, limits } = this.#parts;
    const nowUnixMs = Number(clock.nowUnixNs() / 1_000_000n);
    const { segments } = shelf;
    const planned = this.#planned;
    const isFresh = planned?.segments === segments && nowUnixMs < planned.atMs + PLAN_AGE_MS_MAX;
    if (!isFresh) {
      const excluded = this.#excluded;
      this.#plan = planMerge(segments, { nowUnixMs, retentionMs, excluded, limits });
      this.#planned = { segments, atMs: nowUnixMs };
    }
    return this.#plan;
  }

  /** Sources and result stand side by side for a while. */
  async #hasRoom({ sources }: MergePlan): Promise<boolean> {
    const { storage, shelf, log } = this.#parts;
    const neededBytes = sources.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const freeBytes = await storage.freeBytes(shelf.segmentsDirectory);
    const isFull = freeBytes < neededBytes;
    if (isFull && !this.#isDiskFull) {
      log.warn("the disk is too full to merge segments", { freeBytes, neededBytes });
      this.#count({ givenUpCount: 1 });
    }
    this.#isDiskFull = isFull;
    return !isFull;
  }

  async #merge(plan: MergePlan): Promise<void> {
    const { shelf, clock, log, enqueue, onReplaced } = this.#parts;
    const startedMs = clock.monotonicMs();
    const leaveShelf = shelf.read();
    let merged: SegmentEntry | undefined;
    try {
      const entry = await this.#write(plan);
      if (entry === undefined) return;
      await enqueue(async () => {
        if (await this.#replace(plan, entry)) merged = entry;
      });
    } finally {
      leaveShelf();
    }
    if (merged === undefined) return;
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    this.#count({ doneCount: 1, rows: merged.rows, bytes: merged.sizeBytes, seconds });
    log.info("merged segments", {
      file: merged.file,
      segments: plan.sources.length,
      rows: merged.rows,
      bytes: merged.sizeBytes,
      seconds,
    });
    await onReplaced();
  }

  /** Writes and syncs the result under its temporary name; undefined where a source is damaged. */
  async #write(plan: MergePlan): Promise<SegmentEntry | undefined> {
    const { storage, shelf, merger, giveWay } = this.#parts;
    const task = taskOf(plan, shelf.segmentsDirectory, this.#parts.state());
    const path = join(task.directory, temporaryName(task.file));
    const file = await MergeFile.create(storage, path);
    try {
      const end = await merger.merge({
        task,
        priority: plan.waitingCount > 2 * this.#parts.limits.countMin ? "normal" : "low",
        signal: this.#stop.signal,
        write: async (part) => {
          await giveWay();
          await file.write(part);
        },
      });
      if (end.status === "merged") {
        await file.finish();
        return entryOf(task.file, file.sizeBytes, end.footer);
      }
      this.#exclude(basename(end.damage.path), end.damage.message);
    } catch (error) {
      await file.discard();
      throw error;
    }
    await file.discard();
    return undefined;
  }

  #exclude(file: string, message: string): void {
    this.#excluded.add(file);
    this.#planned = undefined;
    this.#count({ givenUpCount: 1 });
    this.#parts.log.error(`gave up a merge, a source is damaged and stays as it is: ${message}`);
  }

  /** False where a source is no longer there: retention went first. */
  async #replace({ sources }: MergePlan, entry: SegmentEntry): Promise<boolean> {
    const { shelf, state, storage } = this.#parts;
    if (sources.every((source) => shelf.segments.includes(source))) {
      await shelf.replace(sources, entry, state());
      return true;
    }
    this.#count({ givenUpCount: 1 });
    await storage.remove(join(shelf.segmentsDirectory, temporaryName(entry.file)));
    return false;
  }

  #count(more: Partial<typeof NO_MERGES>): void {
    const now = this.#stats;
    this.#stats = {
      doneCount: now.doneCount + (more.doneCount ?? 0),
      rows: now.rows + (more.rows ?? 0),
      bytes: now.bytes + (more.bytes ?? 0),
      seconds: now.seconds + (more.seconds ?? 0),
      failedCount: now.failedCount + (more.failedCount ?? 0),
      givenUpCount: now.givenUpCount + (more.givenUpCount ?? 0),
    };
  }

  /** Stops the merge that is under way, and begins none. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running?.catch(() => undefined);
  }
}

function taskOf({ sources }: MergePlan, directory: string, state: ManifestState): MergeTask {
  const { signal, day } = sources[0];
  const file = mergedFileName(sources);
  return { signal, day, directory, sources: sources.map((source) => source.file), file, state };
}
