import type { OutputRecord, OutputStream } from "./output-records.ts";
import { OUTPUT_SILENCE_MS, OutputReader } from "./output-records.ts";
import type { ActiveHop, HandledHops } from "./handled-hops.ts";

/** A record waits so long for the hop in which it was written; hops come every 200 ms. */
export const OUTPUT_HOLD_MS = 300;
/** A time in the text may have been cut to the millisecond. */
const MILLISECOND_NS = 1_000_000n;

interface HeldRecord {
  readonly record: OutputRecord;
  readonly sinceMs: number;
}

/** Takes a record and the hop in which it was written, where that is known. */
export type EmitOutput = (record: OutputRecord, hop: ActiveHop | undefined) => void;

/**
 * The output of one process: both streams to records, which are held in their order until the hop
 * is known in which they were written.
 */
export class NodeOutput {
  readonly #readers = { stdout: new OutputReader("stdout"), stderr: new OutputReader("stderr") };
  readonly #lastMs = { stdout: 0, stderr: 0 };
  readonly #hops: HandledHops;
  /** False for a node without inputs, which handles nothing. */
  #isHeld: boolean;
  readonly #emit: EmitOutput;
  #held: HeldRecord[] = [];

  constructor(hops: HandledHops, isHeld: boolean, emit: EmitOutput) {
    this.#hops = hops;
    this.#isHeld = isHeld;
    this.#emit = emit;
  }

  /** Lines longer than are kept, and the bytes of them that are lost. */
  get cut(): { readonly lines: number; readonly bytes: number } {
    const { stdout, stderr } = this.#readers;
    return {
      lines: stdout.cut.lines + stderr.cut.lines,
      bytes: stdout.cut.bytes + stderr.cut.bytes,
    };
  }

  /** The node has got an input: from now on it handles something. */
  hold(): void {
    this.#isHeld = true;
  }

  push(stream: OutputStream, chunk: Buffer, nowUnixNs: bigint, nowMs: number): void {
    this.#lastMs[stream] = nowMs;
    this.#hold(this.#readers[stream].push(chunk, nowUnixNs), nowMs);
  }

  /** Hops came: records that they cover need not wait. */
  release(): void {
    let count = 0;
    for (const { record } of this.#held) {
      if (record.traceId === "") {
        const time = timeOf(record);
        if (!this.#hops.isPast(time)) break;
        const hop = this.#hops.find(time);
        if (hop === undefined) break;
        this.#emit(record, hop);
      } else {
        this.#emit(record, undefined);
      }
      count += 1;
    }
    if (count > 0) this.#held = this.#held.slice(count);
  }

  /** Tells what has waited long enough: a line without an end, and records without a hop. */
  tick(nowUnixNs: bigint, nowMs: number): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const reader = this.#readers[stream];
      if (!reader.isPending || nowMs - this.#lastMs[stream] < OUTPUT_SILENCE_MS) continue;
      this.#hold(reader.flush(nowUnixNs, false), nowMs);
    }
    const kept = this.#held.findIndex(({ sinceMs }) => nowMs - sinceMs < OUTPUT_HOLD_MS);
    this.#tell(kept === -1 ? this.#held.length : kept);
  }

  /** The streams have ended: all that is left. */
  end(nowUnixNs: bigint, nowMs: number): void {
    this.#hold(this.#readers.stdout.flush(nowUnixNs, true), nowMs);
    this.#hold(this.#readers.stderr.flush(nowUnixNs, true), nowMs);
    this.#tell(this.#held.length);
  }

  #hold(records: readonly OutputRecord[], nowMs: number): void {
    for (const record of records) {
      if (!this.#isHeld) this.#emit(record, undefined);
      else this.#held.push({ record, sinceMs: nowMs });
    }
  }

  #tell(count: number): void {
    if (count === 0) return;
    for (const { record } of this.#held.slice(0, count)) {
      this.#emit(record, record.traceId === "" ? this.#hops.find(timeOf(record)) : undefined);
    }
    this.#held = this.#held.slice(count);
  }
}

/** When the record was written, as near as it is known. */
function timeOf(record: OutputRecord): bigint {
  const { timeUnixNs, observedUnixNs } = record;
  const isCut = timeUnixNs !== observedUnixNs && timeUnixNs % MILLISECOND_NS === 0n;
  return isCut ? timeUnixNs + MILLISECOND_NS - 1n : timeUnixNs;
}
