import assert from "node:assert";
import path from "node:path";
import type { Clock } from "../../src/core/clock.ts";
import { SIGNALS } from "../../src/core/record.ts";
import type { Frame } from "../../src/journal/frame.ts";
import { frameSeqCount } from "../../src/journal/frame.ts";
import { Journal } from "../../src/journal/journal.ts";
import type { JournalReport } from "../../src/journal/replay.ts";
import { retryKey } from "../../src/journal/retry-window.ts";
import type { Storage } from "../../src/journal/storage.ts";

/** A clock that stands still until it is told. */
class TestClock implements Clock {
  unixMs = 1_700_000_000_000;

  nowUnixNs(): bigint {
    return BigInt(this.unixMs) * 1_000_000n;
  }

  monotonicMs(): number {
    return this.unixMs;
  }
}

/** A frame that is told from every other by its number. */
export function makeFrame(firstSeq: number, fields: Partial<Frame> = {}): Frame {
  const payload = fields.payload ?? Buffer.from(`payload of ${firstSeq}`);
  return {
    signal: SIGNALS[firstSeq % SIGNALS.length],
    firstSeq,
    receivedUnixMs: 1_700_000_000_000,
    retryKey: retryKey("logs", String(firstSeq), payload),
    receivedCount: 3,
    rejected: firstSeq % 2 === 0 ? [1] : [],
    filtered: [],
    isDuplicate: false,
    payload,
    ...fields,
  };
}

/** A frame without a view of anyone's bytes, fit for comparing. */
export function copyFrame(frame: Frame): Frame {
  return {
    ...frame,
    retryKey: Uint8Array.from(frame.retryKey),
    payload: Uint8Array.from(frame.payload),
  };
}

/** What one opening of a journal gave. */
export interface Replay {
  readonly frames: readonly Frame[];
  /** Hex of the keys of files that went. */
  readonly keys: ReadonlyMap<
    string,
    readonly [receivedMs: number, received: number, rejected: number]
  >;
  readonly report: JournalReport;
}

/**
 * A journal and the one who uses it, who remembers what he was told, and after each restart checks
 * the promises against what replay gives.
 */
export class JournalUser {
  readonly clock = new TestClock();
  readonly directory: string;
  readonly fileBytesMax: number;
  /** By number: told to be on disk; told to have failed; told neither. */
  readonly committed = new Map<number, Frame>();
  readonly failed = new Map<number, Frame>();
  #pending: Frame[] = [];
  /** All that ever failed; a crash may take the failure with the frame. */
  readonly #droppedMax = { logs: 0, traces: 0, metrics: 0 };
  /** Failed, and a later commit or an unbroken journal says that they stay away. */
  readonly buried = new Set<number>();
  readonly errors: Error[] = [];
  nextSeq = 0;
  releasedThrough = 0;
  #journal: Journal | undefined;
  /** Counts the processes, so that one that was killed is told from the one that runs. */
  #life = 0;

  constructor(root: string, fileBytesMax = 2000) {
    this.directory = path.join(root, "journal");
    this.fileBytesMax = fileBytesMax;
  }

  get journal(): Journal {
    assert(this.#journal !== undefined, "the journal is open");
    return this.#journal;
  }

  async open(storage: Storage, mode: "write" | "read" = "write"): Promise<Replay> {
    const frames: Frame[] = [];
    const keys = new Map<string, readonly [number, number, number]>();
    const life = ++this.#life;
    const { journal, report } = await Journal.open({
      storage,
      directory: this.directory,
      clock: this.clock,
      mode,
      fileBytesMax: this.fileBytesMax,
      onFrame: (frame) => frames.push(copyFrame(frame)),
      onRetryKey: (key, receivedUnixMs, receivedCount, rejectedCount) => {
        keys.set(Buffer.from(key).toString("hex"), [receivedUnixMs, receivedCount, rejectedCount]);
      },
      onCommitted: (count) => {
        assert.equal(life, this.#life, "a dead process commits nothing");
        for (const frame of this.#take(count)) this.committed.set(frame.firstSeq, frame);
        this.#bury();
      },
      onFailed: (error, count) => {
        // A dead process hears of no failure.
        if (life !== this.#life) return;
        assert.equal(count, this.#pending.length, "a failure drops all that is pending");
        this.errors.push(error);
        for (const frame of this.#take(count)) {
          this.failed.set(frame.firstSeq, frame);
          this.#droppedMax[frame.signal] += frame.receivedCount;
        }
      },
    });
    this.#journal = journal;
    return { frames, keys, report };
  }

  /** Appends frames of some payload size; they take the next numbers. */
  append(count = 1, payloadBytes = 40): void {
    for (let index = 0; index < count; index++) {
      const payload = Buffer.alloc(payloadBytes, `payload of ${this.nextSeq};`);
      const frame = makeFrame(this.nextSeq, { payload, receivedUnixMs: this.clock.unixMs });
      this.nextSeq += frameSeqCount(frame);
      this.#pending.push(frame);
      this.journal.append(frame);
    }
  }

  async flush(): Promise<void> {
    await this.journal.flush();
    if (!this.journal.isBroken) this.#bury();
  }

  /** Lets go of everything below the number. */
  async release(throughSeq: number): Promise<void> {
    this.releasedThrough = Math.max(this.releasedThrough, throughSeq);
    await this.journal.release(throughSeq);
  }

  /** Opens the journal again after the end of a process or a machine, and checks the promises. */
  async reopen(storage: Storage): Promise<Replay> {
    const pending = new Map(this.#pending.map((frame) => [frame.firstSeq, frame]));
    this.#pending = [];
    const replay = await this.open(storage);
    this.#check(replay, pending);
    // What came back is as good as committed: a sender that tries again is told so.
    for (const frame of replay.frames) {
      this.committed.set(frame.firstSeq, frame);
      this.failed.delete(frame.firstSeq);
    }
    // What failed and left no trace: its number was given to nobody, and may be given again.
    for (const seq of this.failed.keys()) if (!this.buried.has(seq)) this.failed.delete(seq);
    this.nextSeq = replay.report.nextSeq;
    return replay;
  }

  #check(replay: Replay, pending: ReadonlyMap<number, Frame>): void {
    const { frames, report, keys } = replay;
    const seqs = frames.map((frame) => frame.firstSeq);
    assert.deepEqual(
      seqs,
      [...new Set(seqs)].sort((a, b) => a - b),
      "in order, none twice",
    );
    for (const frame of frames) {
      const seq = frame.firstSeq;
      const appended = this.committed.get(seq) ?? this.failed.get(seq) ?? pending.get(seq);
      assert(appended !== undefined, `frame ${seq} is invented`);
      assert.deepEqual(frame, copyFrame(appended), `frame ${seq} is as it was appended`);
      assert(!this.buried.has(seq), `frame ${seq} came back although it failed`);
    }
    const replayed = new Set(seqs);
    for (const [seq, frame] of this.committed) {
      const isKept = replayed.has(seq) || seq + frameSeqCount(frame) <= this.releasedThrough;
      assert(isKept, `frame ${seq} was committed and is lost`);
      const isLive = frame.receivedUnixMs > this.clock.unixMs - 600_000;
      const isKnown = replayed.has(seq) || keys.has(Buffer.from(frame.retryKey).toString("hex"));
      assert(isKnown || !isLive, `the retry key of frame ${seq} is lost`);
    }
    for (const [seq, frame] of [...this.committed, ...this.failed]) {
      if (this.failed.has(seq) && !this.buried.has(seq)) continue;
      assert(report.nextSeq >= seq + frameSeqCount(frame), `number ${seq} would be used again`);
    }
    for (const signal of SIGNALS) {
      const buried = [...this.failed].filter(
        ([seq, frame]) => frame.signal === signal && this.buried.has(seq),
      );
      const dropped = this.journal.droppedTotals[signal];
      assert(dropped >= 3 * buried.length, `${signal}: ${dropped} dropped are too few`);
      assert(dropped <= this.#droppedMax[signal], `${signal}: ${dropped} dropped are too many`);
    }
  }

  #take(count: number): Frame[] {
    return this.#pending.splice(0, count);
  }

  #bury(): void {
    for (const seq of this.failed.keys()) this.buried.add(seq);
  }
}
