import { assert } from "../core/assert.ts";
import type { Clock } from "../core/clock.ts";
import { REQUEST_BYTES_MAX } from "../core/limits.ts";
import type { Signal } from "../core/record.ts";
import type { Frame } from "../journal/frame.ts";
import { frameSeqCount } from "../journal/frame.ts";
import { Journal } from "../journal/journal.ts";
import type { JournalReport } from "../journal/replay.ts";
import { retryKey, RetryWindow } from "../journal/retry-window.ts";
import type { Storage } from "../journal/storage.ts";
import { LogsDecoder } from "../wire/otlp-decode-logs.ts";
import { MetricsDecoder } from "../wire/otlp-decode-metrics.ts";
import { TracesDecoder } from "../wire/otlp-decode-traces.ts";
import { WireError } from "../wire/wire-error.ts";
import type { PerSignal, RequestCounts } from "./counters.ts";
import { Counters } from "./counters.ts";
import type { AppendRequest, AppendResult } from "./ingest.ts";
import type { ManifestState } from "./manifest.ts";
import { LogTable } from "./open-table-logs.ts";
import { IntakeRoom } from "./intake-room.ts";
import { PointTable } from "./open-table-metrics.ts";
import { SpanTable } from "./open-table-traces.ts";
import type { BlockRows } from "./open-table.ts";
import type { DecodeOutcome, OpenTableView, SignalIntake } from "./signal-intake.ts";
import { signalIntake } from "./signal-intake.ts";

/**
 * Raw bytes that wait to be sealed; past it requests wait until a seal is through. A burst of a
 * million records is taken at the speed at which it comes.
 */
const UNSEALED_BYTES_MAX = 256 * 1024 * 1024;

/** How long a refused sender is asked to wait. */
const RETRY_AFTER_MS = 1000;

/** A request whose frame is not on disk yet. */
interface Pending extends PendingAnswer {
  readonly frame: Frame;
  readonly counts: RequestCounts;
  readonly resolve: (result: AppendResult) => void;
}

interface PendingAnswer {
  /** The retry key, where the request is new. */
  readonly key: string | undefined;
  readonly rows: number;
  readonly message: string;
  /** What the answer says, where it is not the frame's own count. */
  readonly rejectedCount?: number;
}

export interface IntakeOptions {
  readonly storage: Storage;
  /** Of the journal. */
  readonly directory: string;
  readonly mode: "write" | "read";
  readonly clock: Clock;
  readonly state: ManifestState;
  /** Of one journal file. */
  readonly fileBytesMax?: number;
  readonly unsealedBytesMax?: number;
  /** Rows that readers may see from now on. Called once for each signal of a shared sync. */
  readonly onCommitted: (signal: Signal, rows: readonly BlockRows[]) => void;
}

/**
 * From a request's bytes to an acknowledgement:
 *
 * 1. While too much waits to be sealed it waits for its turn.
 * 2. A retry of a request of the last ten minutes is known by its key, and only counted.
 * 3. The bytes are decoded into the open columns, behind what readers see. Bytes that make no
 *    sense leave no trace there.
 * 4. The journal takes a frame, and calls back once it is on disk (or failed), in order.
 * 5. Then the rows are shown, the counters move, and the sender gets its answer.
 *
 * Concurrency: one thread; any number of requests may wait for the same sync.
 */
export class Intake {
  readonly counters = new Counters();
  readonly #signals: PerSignal<SignalIntake>;
  readonly #clock: Clock;
  readonly #onCommitted: IntakeOptions["onCommitted"];
  #journal: Journal | undefined;
  readonly #retries = new RetryWindow();
  readonly #unsealedBytesMax: number;
  readonly #room = new IntakeRoom(() => this.unsealedBytes > this.#unsealedBytesMax);
  /** Requests on their way to disk, by key: a retry of one waits for the same sync. */
  readonly #inFlight = new Map<string, Promise<AppendResult>>();
  #pending: Pending[] = [];
  #nextSeq: number;
  #committedSeq: number;
  #isClosed = false;

  /** Replays the journal above the manifest's positions, then takes requests. */
  static async open(
    options: IntakeOptions,
  ): Promise<{ readonly intake: Intake; readonly report: JournalReport }> {
    const intake = new Intake(options);
    const { journal, report } = await Journal.open({
      storage: options.storage,
      directory: options.directory,
      clock: options.clock,
      mode: options.mode,
      ...(options.fileBytesMax === undefined ? {} : { fileBytesMax: options.fileBytesMax }),
      onFrame: (frame) => intake.#replay(frame, options.state),
      onRetryKey: (key, receivedUnixMs, receivedCount, rejectedCount) => {
        const entry = { receivedUnixMs, receivedCount, rejectedCount };
        intake.#retries.add(key, entry, intake.#nowUnixMs());
      },
      onCommitted: (count) => intake.#commit(count),
      onFailed: (error, count) => intake.#fail(error, count),
    });
    intake.#journal = journal;
    intake.#nextSeq = Math.max(intake.#nextSeq, report.nextSeq);
    intake.#committedSeq = intake.#nextSeq;
    return { intake, report };
  }

  private constructor({
    clock,
    state,
    onCommitted,
    unsealedBytesMax = UNSEALED_BYTES_MAX,
  }: IntakeOptions) {
    this.#unsealedBytesMax = unsealedBytesMax;
    const now = (): number => clock.monotonicMs();
    const [logs, logsDecoder] = [new LogTable(now), new LogsDecoder()];
    const [traces, tracesDecoder] = [new SpanTable(now), new TracesDecoder()];
    const [metrics, metricsDecoder] = [new PointTable(now), new MetricsDecoder()];
    this.#signals = {
      logs: signalIntake(logs, (body) => logsDecoder.decode(body, logs)),
      traces: signalIntake(traces, (body) => tracesDecoder.decode(body, traces)),
      metrics: signalIntake(metrics, (body) => metricsDecoder.decode(body, metrics)),
    };
    this.#clock = clock;
    this.#onCommitted = onCommitted;
    this.#nextSeq = state.nextSeq;
    this.#committedSeq = state.nextSeq;
    this.counters.restore(state.counters);
  }

  table(signal: Signal): OpenTableView {
    return this.#signals[signal].table;
  }

  /** Every record on disk has a lower number. */
  get committedSeq(): number {
    return this.#committedSeq;
  }

  /** To be told of rows that segments hold now. */
  sealed(signal: Signal, rows: readonly BlockRows[]): void {
    this.#signals[signal].table.seal(rows);
    this.#room.letNextIn();
  }

  get unsealedBytes(): number {
    return sumOf(this.#signals, ({ table }) => table.unsealedBytes);
  }

  get journal(): Journal {
    assert(this.#journal !== undefined, "the intake is not open yet");
    return this.#journal;
  }

  append(request: AppendRequest): Promise<AppendResult> {
    const { length } = request.body;
    if (length > REQUEST_BYTES_MAX) {
      const message = `the request has ${length} bytes, the limit is ${REQUEST_BYTES_MAX}`;
      return Promise.resolve({ status: "invalid", message });
    }
    return this.#room.isFree ? this.#append(request) : this.#appendLater(request);
  }

  async #appendLater(request: AppendRequest): Promise<AppendResult> {
    if (!(await this.#room.wait())) return unavailable("sealing does not keep up");
    const answer = this.#append(request);
    this.#room.letNextIn();
    return answer;
  }

  #append(request: AppendRequest): Promise<AppendResult> {
    const { signal, body, principal } = request;
    if (this.#isClosed) return Promise.resolve(unavailable("the service is stopping"));
    const retry = retryKey(signal, principal, body);
    const key = Buffer.from(retry).toString("latin1");
    const first = this.#inFlight.get(key);
    if (first !== undefined) return first.then((result) => this.#repeat(request, retry, result));
    const known = this.#retries.find(retry, this.#nowUnixMs());
    if (known !== undefined) {
      return this.#appendDuplicate(signal, retry, known.receivedCount, known.rejectedCount);
    }
    return this.#appendNew(request, retry, key);
  }

  #appendNew(
    { signal, body }: AppendRequest,
    retry: Uint8Array,
    key: string,
  ): Promise<AppendResult> {
    const { table, decode } = this.#signals[signal];
    const receivedMs = this.#nowUnixMs();
    const mark = table.mark();
    let outcome: DecodeOutcome;
    try {
      outcome = decode(body, { firstSeq: this.#nextSeq, receivedMs });
    } catch (error) {
      table.rollback(mark);
      if (!(error instanceof WireError)) throw error;
      return Promise.resolve({ status: "invalid", message: error.message });
    }
    const { received, added, rejected, reason } = outcome;
    if (received === 0) {
      return Promise.resolve({ status: "stored", receivedCount: 0, rejectedCount: 0, message: "" });
    }
    const frame: Frame = {
      signal,
      firstSeq: this.#nextSeq,
      receivedUnixMs: receivedMs,
      retryKey: retry,
      receivedCount: received,
      rejected,
      filtered: [],
      isDuplicate: false,
      payload: added === 0 ? NO_BYTES : body,
    };
    const answer = this.#enqueue(frame, { key, rows: added, message: reason });
    this.#inFlight.set(key, answer);
    return answer;
  }

  /** A retry of a request that was in flight: it fares as that one did. */
  #repeat(request: AppendRequest, retry: Uint8Array, first: AppendResult): Promise<AppendResult> {
    if (first.status !== "stored") return Promise.resolve(first);
    return this.#appendDuplicate(request.signal, retry, first.receivedCount, first.rejectedCount);
  }

  #appendDuplicate(
    signal: Signal,
    retry: Uint8Array,
    received: number,
    rejectedCount: number,
  ): Promise<AppendResult> {
    if (this.#isClosed) return Promise.resolve(unavailable("the service is stopping"));
    const frame: Frame = {
      signal,
      firstSeq: this.#nextSeq,
      receivedUnixMs: this.#nowUnixMs(),
      retryKey: retry,
      receivedCount: received,
      rejected: [],
      filtered: [],
      isDuplicate: true,
      payload: NO_BYTES,
    };
    const message = rejectedCount === 0 ? "" : "rejected when the request was first received";
    return this.#enqueue(frame, { key: undefined, rows: 0, message, rejectedCount });
  }

  #enqueue(frame: Frame, request: PendingAnswer): Promise<AppendResult> {
    const counts = countsOf(frame);
    this.#nextSeq = frame.firstSeq + frameSeqCount(frame);
    this.counters.of(frame.signal).begin(counts);
    return new Promise((resolve) => {
      this.#pending.push({ frame, counts, resolve, ...request });
      this.journal.append(frame);
    });
  }

  /** The first `count` pending frames are on disk. */
  #commit(count: number): void {
    const done = this.#pending.slice(0, count);
    this.#pending = this.#pending.slice(count);
    const rows = { logs: 0, traces: 0, metrics: 0 };
    for (const { frame, counts, rows: added, key } of done) {
      rows[frame.signal] += added;
      this.counters.of(frame.signal).commit(counts);
      this.#committedSeq = frame.firstSeq + frameSeqCount(frame);
      if (key === undefined) continue;
      this.#inFlight.delete(key);
      this.#retries.add(frame.retryKey, retryEntry(frame), this.#nowUnixMs());
    }
    for (const signal of ["logs", "traces", "metrics"] as const) {
      if (rows[signal] === 0) continue;
      this.#onCommitted(signal, this.#signals[signal].table.commit(rows[signal]));
    }
    for (const { resolve, counts, message, rejectedCount } of done) {
      resolve({
        status: "stored",
        receivedCount: counts.received,
        rejectedCount: rejectedCount ?? counts.rejected,
        message,
      });
    }
  }

  /** Everything pending is lost: the write failed. Its rows leave the open columns. */
  #fail(error: Error, count: number): void {
    assert(count === this.#pending.length, "the journal failed other frames than were pending");
    const failed = this.#pending;
    this.#pending = [];
    for (const { frame, counts, key } of failed) {
      this.counters.of(frame.signal).drop(counts);
      if (key !== undefined) this.#inFlight.delete(key);
    }
    for (const { table } of Object.values(this.#signals)) table.rollbackToCommitted();
    const answer = unavailable(`cannot write to the journal: ${error.message}`);
    for (const { resolve } of failed) resolve(answer);
  }

  /** Takes a frame of the journal as if it had just been received, but for what is sealed. */
  #replay(frame: Frame, state: ManifestState): void {
    const { signal, firstSeq } = frame;
    if (firstSeq >= state.countedSeq) this.counters.of(signal).replay(countsOf(frame));
    if (!frame.isDuplicate) this.#retries.add(frame.retryKey, retryEntry(frame), this.#nowUnixMs());
    this.#nextSeq = Math.max(this.#nextSeq, firstSeq + frameSeqCount(frame));
    const position = state.positions[signal];
    if (frame.payload.length === 0 || firstSeq + frame.receivedCount <= position) return;
    const left = new Set([...frame.rejected, ...frame.filtered]);
    const { table, decode } = this.#signals[signal];
    const { added } = decode(frame.payload, {
      firstSeq,
      receivedMs: frame.receivedUnixMs,
      accept: (ordinal) => firstSeq + ordinal >= position && !left.has(ordinal),
    });
    if (added > 0) table.commit(added);
  }

  #nowUnixMs(): number {
    return Number(this.#clock.nowUnixNs() / 1_000_000n);
  }

  /** Takes no further request, and waits for those on their way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#room.letAllIn();
    await this.journal.close();
  }
}

const NO_BYTES = new Uint8Array(0);

function countsOf({ receivedCount, rejected, filtered, isDuplicate }: Frame): RequestCounts {
  return {
    received: receivedCount,
    rejected: rejected.length,
    filtered: filtered.length,
    isDuplicate,
  };
}

function retryEntry({ receivedUnixMs, receivedCount, rejected }: Frame): {
  readonly receivedUnixMs: number;
  readonly receivedCount: number;
  readonly rejectedCount: number;
} {
  return { receivedUnixMs, receivedCount, rejectedCount: rejected.length };
}

function sumOf<T>(values: PerSignal<T>, of: (value: T) => number): number {
  return of(values.logs) + of(values.traces) + of(values.metrics);
}

function unavailable(message: string): AppendResult {
  return { status: "unavailable", message, retryAfterMs: RETRY_AFTER_MS };
}
