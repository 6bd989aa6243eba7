import { assert } from "../core/assert.ts";
import type { Block, RowKey, RowKeys } from "./block.ts";
import { compileFilter } from "./compile-filter.ts";
import type { Cursor } from "./cursor.ts";
import { formatCursor, parseCursor } from "./cursor.ts";
import { entryWriter } from "./entry-writer.ts";
import { Heap } from "./heap.ts";
import type { LineWriter } from "./line-buffer.ts";
import { LineBuffer } from "./line-buffer.ts";
import type { SearchBatch, SearchEnd, SearchRequest } from "./log-store.ts";
import { BATCH_ENTRIES_MAX } from "./log-store.ts";
import { QueryMeter } from "./query-meter.ts";
import type { MatchedBlock, ScanContext, Source } from "./scan.ts";
import { blocksOf, guarded, matchBlock, sourcesOf, TimeBounds } from "./scan.ts";
import { SegmentDamage } from "./segment-damage.ts";
import type { Snapshot } from "./snapshot.ts";
import { compareTimes } from "./time-order.ts";

/** A batch is handed on once its lines take this much. */
const BATCH_BYTES = 256 * 1024;

/**
 * Searches a snapshot in the order of (time, seq), newest or oldest first.
 *
 * 1. Segments and open blocks wait in a heap by the time at which their rows can begin.
 * 2. The first of them is opened while its rows may come before the best row at hand: a segment
 *    into its blocks, a block into its matching rows, sorted.
 * 3. Else the best row at hand is the next of the whole answer: it is written, and its block
 *    moves on.
 *
 * So blocks that hold only later rows are never read, and a limit stops early.
 *
 * Shape: yields a batch that is full, or undefined after each block so that other work gets its turn.
 */
export function* searchSnapshot(
  snapshot: Snapshot,
  request: SearchRequest,
  context: ScanContext,
): Generator<SearchBatch | undefined, SearchFinish> {
  const meter = new QueryMeter(request.budget, context.nowMs);
  const after = request.after === undefined ? undefined : parseCursor(request.after, request.order);
  const order = new SearchOrder(request.order, after);
  const query = {
    predicate: compileFilter(request.filter, request.signal),
    bounds: new TimeBounds(request.range),
    meter,
  };
  const seqEnd = after?.seqEnd ?? snapshot.seqEnd;
  const batch = new BatchBuilder(request.order, seqEnd);
  const waiting = new Heap<Source>((left, right) => order.isSourceBefore(left, right));
  const heads = new Heap<BlockRun>((left, right) => order.isRowBefore(left, right));
  for (const source of sourcesOf(snapshot, query.bounds)) waiting.push(source);
  let left = request.limit ?? Number.POSITIVE_INFINITY;
  let last: Cursor | undefined = after;
  while (left > 0) {
    const stopped = meter.exhausted();
    if (stopped !== undefined) {
      const end = meter.end(stopped, last === undefined ? undefined : formatCursor(last));
      return { batch: batch.takeRest(), end };
    }
    const source = waiting.peek();
    const head = heads.peek();
    if (source !== undefined && (head === undefined || order.mayPrecede(source, head))) {
      waiting.pop();
      if (source.kind === "segment") {
        for (const block of blocksOf(source, snapshot, query, context)) waiting.push(block);
      } else {
        const matched = matchBlock(source, snapshot, query, context);
        const run = matched && order.runOf(matched, request.signal, seqEnd, meter);
        if (run !== undefined) heads.push(run);
      }
      meter.pause();
      yield undefined;
      meter.resume();
      continue;
    }
    if (head === undefined) break;
    heads.pop();
    last = batch.add(head, meter);
    left -= 1;
    if (head.advance()) heads.push(head);
    if (batch.isFull) {
      meter.pause();
      yield batch.take();
      meter.resume();
    }
  }
  const hasMore = left === 0 && (heads.size > 0 || waiting.size > 0);
  const end = meter.end(undefined, hasMore && last !== undefined ? formatCursor(last) : undefined);
  return { batch: batch.takeRest(), end };
}

/** What a search ends with: its last entries go along, so that a small answer is one message. */
export interface SearchFinish {
  readonly batch: SearchBatch | undefined;
  readonly end: SearchEnd;
}

/** The order of a search: signs for newest or oldest first, and where to begin. */
class SearchOrder {
  /** 1 for oldest first, -1 for newest first. */
  readonly #sign: 1 | -1;
  readonly #after: Cursor | undefined;

  constructor(order: "newest" | "oldest", after: Cursor | undefined) {
    this.#sign = order === "oldest" ? 1 : -1;
    this.#after = after;
  }

  isSourceBefore(left: Source, right: Source): boolean {
    const [from, to] = [this.#begin(left), this.#begin(right)];
    return this.#sign * compareTimes(from.day, from.ns, to.day, to.ns) < 0;
  }

  isRowBefore(left: BlockRun, right: BlockRun): boolean {
    const byTime = compareTimes(left.day, left.ns, right.day, right.ns) || left.seq - right.seq;
    return this.#sign * byTime < 0;
  }

  /** Whether a source may hold a row that comes before the run's next one. */
  mayPrecede(source: Source, run: BlockRun): boolean {
    const begin = this.#begin(source);
    return this.#sign * compareTimes(begin.day, begin.ns, run.day, run.ns) <= 0;
  }

  #begin({ span }: Source): { readonly day: number; readonly ns: number } {
    return this.#sign === 1
      ? { day: span.minDay, ns: span.minNs }
      : { day: span.maxDay, ns: span.maxNs };
  }

  /** The matching rows of a block in this order, those before the cursor left out. */
  runOf(
    { block, mask, bytesRead }: MatchedBlock,
    signal: Snapshot["signal"],
    seqEnd: number,
    meter: QueryMeter,
  ): BlockRun | undefined {
    return guarded(meter, undefined, () => {
      const rows = rowsOf(mask);
      const keys = keysOf(block, rows);
      const order: number[] = [];
      for (let index = 0; index < rows.length; index++) {
        if (keys.seq[index] < seqEnd && this.#isBehind(keys, index)) order.push(index);
      }
      if (order.length === 0) return undefined;
      if (this.#sign === -1) order.reverse();
      const compare = (left: number, right: number): number =>
        this.#sign *
        (compareTimes(keys.day[left], keys.ns[left], keys.day[right], keys.ns[right]) ||
          keys.seq[left] - keys.seq[right]);
      // Sealed rows are in order already, and sorting what is sorted costs next to nothing.
      order.sort(compare);
      // What the entries show is read as they are written.
      const openWriter = (): LineWriter => {
        let before = bytesRead();
        const write = entryWriter(signal, block);
        return (row, out, key) => {
          write(row, out, key);
          meter.scannedBytes += bytesRead() - before;
          before = bytesRead();
        };
      };
      return new BlockRun({ rows, keys, order }, openWriter);
    });
  }

  #isBehind({ day, ns, seq }: RowKeys, index: number): boolean {
    const after = this.#after;
    if (after === undefined) return true;
    const byTime = compareTimes(day[index], ns[index], after.day, after.ns);
    return this.#sign * (byTime || seq[index] - after.seq) > 0;
  }
}

/** The rows of a mask. Mostly they are many, or far apart. */
function rowsOf(mask: Uint8Array): Uint32Array {
  const rows: number[] = [];
  for (let row = mask.indexOf(1); row >= 0; row = nextRow(mask, row)) rows.push(row);
  return Uint32Array.from(rows);
}

function nextRow(mask: Uint8Array, row: number): number {
  return mask[row + 1] === 1 ? row + 1 : mask.indexOf(1, row + 1);
}

function keysOf(block: Block, rows: Uint32Array): RowKeys {
  const known = block.keysOf?.(rows);
  if (known !== undefined) return known;
  const time = block.time("time");
  const seq = block.f64("seq");
  const keys = {
    day: new Int32Array(rows.length),
    ns: new Float64Array(rows.length),
    seq: new Float64Array(rows.length),
  };
  for (let index = 0; index < rows.length; index++) {
    keys.day[index] = time.day[rows[index]];
    keys.ns[index] = time.ns[rows[index]];
    keys.seq[index] = seq[rows[index]];
  }
  return keys;
}

/** Matching rows of one block, and the order in which they are shown. */
interface OrderedRows {
  readonly rows: Uint32Array;
  readonly keys: RowKeys;
  /** Positions in `rows`. */
  readonly order: readonly number[];
}

/** The matching rows of one block, in order; stands at one of them. */
class BlockRun implements RowKey {
  readonly #rows: OrderedRows;
  readonly #openWriter: () => LineWriter;
  #writer: LineWriter | undefined;
  #damage: SegmentDamage | undefined;
  #index = 0;
  day = 0;
  ns = 0;
  seq = 0;

  constructor(rows: OrderedRows, openWriter: () => LineWriter) {
    this.#rows = rows;
    this.#openWriter = openWriter;
    this.#stand();
  }

  #stand(): void {
    const { keys, order } = this.#rows;
    const at = order[this.#index];
    this.day = keys.day[at];
    this.ns = keys.ns[at];
    this.seq = keys.seq[at];
  }

  /** Writes the entry of the row it stands at. */
  writeLine(out: LineBuffer): void {
    const { rows, order } = this.#rows;
    this.#writer ??= this.#open();
    this.#writer(rows[order[this.#index]], out, this);
  }

  /** Where a column is damaged it is not read again for each row. */
  #open(): LineWriter {
    if (this.#damage !== undefined) throw this.#damage;
    try {
      return this.#openWriter();
    } catch (error) {
      if (error instanceof SegmentDamage) this.#damage = error;
      throw error;
    }
  }

  /** Moves to the next row; false at the end. */
  advance(): boolean {
    this.#index += 1;
    if (this.#index === this.#rows.order.length) return false;
    this.#stand();
    return true;
  }
}

/** Collects lines until they make a batch. */
class BatchBuilder {
  readonly #order: "newest" | "oldest";
  readonly #seqEnd: number;
  readonly #lines = new LineBuffer();
  #cursor: Cursor | undefined;
  count = 0;

  constructor(order: "newest" | "oldest", seqEnd: number) {
    this.#order = order;
    this.#seqEnd = seqEnd;
  }

  get isFull(): boolean {
    return this.count >= BATCH_ENTRIES_MAX || this.#lines.length >= BATCH_BYTES;
  }

  /** Adds the row that a run stands at, and returns its cursor. A damaged row has no line. */
  add(run: BlockRun, meter: QueryMeter): Cursor {
    this.#cursor = {
      order: this.#order,
      day: run.day,
      ns: run.ns,
      seq: run.seq,
      seqEnd: this.#seqEnd,
    };
    const { length } = this.#lines;
    const isWritten = guarded(meter, false, () => {
      run.writeLine(this.#lines);
      return true;
    });
    if (isWritten) this.count += 1;
    else this.#lines.cut(length);
    return this.#cursor;
  }

  /** The last batch, where there is one. */
  takeRest(): SearchBatch | undefined {
    return this.count === 0 ? undefined : this.take();
  }

  take(): SearchBatch {
    assert(this.#cursor !== undefined, "an empty batch was taken");
    const lines = this.#lines.take();
    const batch = { lines, count: this.count, cursor: formatCursor(this.#cursor) };
    this.count = 0;
    return batch;
  }
}
