import { assert } from "../core/assert.ts";
import type { Signal } from "../core/record.ts";
import type { ByteRanges } from "../wire/byte-ranges.ts";
import type { RecordSink } from "../wire/otlp-decode.ts";
import type { TimeColumn } from "./block.ts";
import { BytesWriter } from "./bytes-writer.ts";
import type { OpenBlockReader } from "./open-block.ts";
import { dictionaryOf, OpenBlock } from "./open-block.ts";
import { BLOCK_ROWS_MAX } from "./table-schema.ts";

/** Blocks kept for use anew, so that full speed does not allocate. */
const FREE_BLOCKS_MAX = 4;

/** Rows of one block, for readers. */
export interface BlockRows {
  readonly block: OpenBlock;
  readonly from: number;
  readonly to: number;
}

/** Where a table stood, to go back to. */
export interface TableMark {
  readonly blocks: number;
  readonly rows: number;
}

/**
 * The open columns of one signal: the rows that are not yet in a segment, in the order of their
 * arrival. A subclass writes one row's own columns.
 *
 * Concurrency: the receiving thread alone calls it.
 */
export abstract class OpenTable<Row, Columns extends CommonColumns> implements RecordSink<Row> {
  readonly signal: Signal;
  /** Oldest first; the last one is being filled. Never empty. */
  #blocks: OpenBlock[];
  readonly #free: OpenBlock[] = [];
  readonly #resource = new Envelope();
  readonly #scope = new Envelope();
  readonly #now: () => number;
  #firstSeq = 0;
  #receivedMs = 0;
  #accept: (ordinal: number) => boolean = () => true;
  #rejected: number[] = [];
  #rejectionReason = "";
  #added = 0;

  readonly #makeColumns: (block: OpenBlock) => Columns;
  /** Of the block being filled. */
  protected columns: Columns;

  constructor(
    signal: Signal,
    monotonicMs: () => number,
    makeColumns: (block: OpenBlock) => Columns,
  ) {
    const first = new OpenBlock(signal);
    this.signal = signal;
    this.#now = monotonicMs;
    this.#makeColumns = makeColumns;
    this.#blocks = [first];
    this.columns = makeColumns(first);
  }

  /** Whether the block being filled has no room for this row's bytes at `index`. */
  protected abstract isFull(row: Row, index: number): boolean;
  /** Writes the row's own columns at `index`; false where a dictionary is full. */
  protected abstract write(bytes: Uint8Array, row: Row, index: number, receivedMs: number): boolean;

  /** The block being filled. */
  get #current(): OpenBlock {
    return this.#blocks[this.#blocks.length - 1];
  }

  /** Sets what the rows of the next request get, before it is decoded. */
  begin(request: {
    readonly firstSeq: number;
    readonly receivedMs: number;
    readonly accept?: (ordinal: number) => boolean;
  }): void {
    this.#firstSeq = request.firstSeq;
    this.#receivedMs = request.receivedMs;
    this.#accept = request.accept ?? acceptAll;
    this.#rejected = [];
    this.#rejectionReason = "";
    this.#added = 0;
  }

  /** What became of the request's records since `begin`. */
  outcome(): {
    readonly added: number;
    readonly rejected: readonly number[];
    readonly reason: string;
  } {
    return { added: this.#added, rejected: this.#rejected, reason: this.#rejectionReason };
  }

  resource(bytes: Uint8Array, ranges: ByteRanges): void {
    this.#resource.set(bytes, ranges);
  }

  scope(bytes: Uint8Array, ranges: ByteRanges): void {
    this.#scope.set(bytes, ranges);
  }

  reject(ordinal: number, reason: string): void {
    this.#rejected.push(ordinal);
    if (this.#rejectionReason === "") this.#rejectionReason = `record ${ordinal}: ${reason}`;
  }

  add(bytes: Uint8Array, row: Row, ordinal: number): void {
    if (!this.#accept(ordinal)) return;
    let block = this.#current;
    if (block.rows === BLOCK_ROWS_MAX || this.isFull(row, block.rows)) block = this.#openNext();
    if (!this.#writeRow(block, bytes, row, ordinal)) {
      block = this.#openNext();
      assert(this.#writeRow(block, bytes, row, ordinal), "a row does not fit an empty block");
    }
    if (block.rows === block.sealed) block.openedMs = this.#now();
    block.rows += 1;
    this.#added += 1;
  }

  #writeRow(block: OpenBlock, bytes: Uint8Array, row: Row, ordinal: number): boolean {
    const index = block.rows;
    const resourceId = this.#resource.idIn(block, "resource");
    const scopeId = this.#scope.idIn(block, "scope");
    if (resourceId < 0 || scopeId < 0) return false;
    this.columns.seq[index] = this.#firstSeq + ordinal;
    this.columns.received[index] = this.#receivedMs;
    this.columns.resource[index] = resourceId;
    this.columns.scope[index] = scopeId;
    return this.write(bytes, row, index, this.#receivedMs);
  }

  #openNext(): OpenBlock {
    const index = this.#free.findIndex(({ readers }) => readers === 0);
    const block = index < 0 ? new OpenBlock(this.signal) : this.#free.splice(index, 1)[0];
    block.reset();
    this.#blocks.push(block);
    this.columns = this.#makeColumns(block);
    return block;
  }

  mark(): TableMark {
    return { blocks: this.#blocks.length, rows: this.#current.rows };
  }

  /** Forgets every row appended since `mark`. */
  rollback(mark: TableMark): void {
    const { length } = this.#blocks;
    while (this.#blocks.length > mark.blocks) this.#recycle(this.#blocks.pop());
    this.#current.rows = mark.rows;
    if (this.#blocks.length !== length) this.columns = this.#makeColumns(this.#current);
  }

  /** Forgets every row that is not committed. */
  rollbackToCommitted(): void {
    const first = this.#blocks.findIndex(({ committed, rows }) => committed < rows);
    if (first < 0) return;
    const keep = first > 0 && this.#blocks[first].committed === 0 ? first : first + 1;
    this.rollback({ blocks: keep, rows: this.#blocks[keep - 1].committed });
  }

  /** Shows the next `count` rows to readers, and returns where they are. */
  commit(count: number): readonly BlockRows[] {
    const shown: BlockRows[] = [];
    let left = count;
    for (const block of this.#blocks) {
      if (left === 0) break;
      const take = Math.min(left, block.rows - block.committed);
      if (take === 0) continue;
      shown.push({ block, from: block.committed, to: block.committed + take });
      block.committed += take;
      left -= take;
    }
    assert(left === 0, "more rows were committed than appended");
    return shown;
  }

  /** Every row that is committed and not sealed, oldest first. */
  committedRows(): readonly BlockRows[] {
    return this.#blocks
      .filter(({ sealed, committed }) => sealed < committed)
      .map((block) => ({ block, from: block.sealed, to: block.committed }));
  }

  /** Forgets rows that are in segments now. Rows were those of `committedRows`. */
  seal(rows: readonly BlockRows[]): void {
    for (const { block, to } of rows) {
      block.sealed = to;
      block.openedMs = this.#now();
    }
    const kept = this.#blocks.filter((block) => block.sealed < block.rows);
    for (const block of this.#blocks) if (!kept.includes(block)) this.#recycle(block);
    this.#blocks = kept;
    if (kept.length === 0) this.#openNext();
  }

  #recycle(block: OpenBlock | undefined): void {
    this.#resource.forget();
    this.#scope.forget();
    if (block !== undefined && this.#free.length < FREE_BLOCKS_MAX) this.#free.push(block);
  }

  get unsealedRows(): number {
    return this.#blocks.reduce((sum, { rows, sealed }) => sum + rows - sealed, 0);
  }

  /** Raw bytes of the rows that are not sealed, about. */
  get unsealedBytes(): number {
    return this.#blocks.reduce((sum, block) => sum + block.dataBytes() + block.rows * ROW_BYTES, 0);
  }

  /** The number of the oldest row that is not sealed; undefined where there is none. */
  get oldestSeq(): number | undefined {
    const block = this.#blocks.find(({ sealed, rows }) => sealed < rows);
    return block?.seqAt(block.sealed);
  }

  /** How long the oldest row that is not sealed has waited, in milliseconds; 0 if there is none. */
  get oldestAgeMs(): number {
    const block = this.#blocks.find(({ sealed, committed }) => sealed < committed);
    return block === undefined ? 0 : this.#now() - block.openedMs;
  }
}

/** Bytes of a row's fixed-width columns, about. */
const ROW_BYTES = 100;

/** The columns that every table has, of one block. */
export class CommonColumns {
  readonly seq: Float64Array;
  readonly received: Float64Array;
  readonly time: TimeColumn;
  readonly resource: Uint32Array;
  readonly scope: Uint32Array;
  readonly attributes: BytesWriter;

  constructor(columns: OpenBlockReader) {
    this.seq = columns.f64("seq");
    this.received = columns.f64("received");
    this.time = columns.time("time");
    this.resource = columns.u32("resource");
    this.scope = columns.u32("scope");
    this.attributes = new BytesWriter(columns, "attributes");
  }
}

/** The resource or scope of the records being read, and its id in the block being filled. */
class Envelope {
  #bytes = new Uint8Array(1024);
  #length = 0;
  #block: OpenBlock | undefined;
  #id = -1;

  set(source: Uint8Array, ranges: ByteRanges): void {
    this.forget();
    if (ranges.byteLength > this.#bytes.length) this.#bytes = new Uint8Array(ranges.byteLength * 2);
    this.#length = ranges.copy(source, this.#bytes, 0);
  }

  forget(): void {
    this.#block = undefined;
  }

  idIn(block: OpenBlock, column: "resource" | "scope"): number {
    if (this.#block === block) return this.#id;
    const id = dictionaryOf(block, column).intern(this.#bytes, 0, this.#length);
    this.#block = id < 0 ? undefined : block;
    this.#id = id;
    return id;
  }
}

function acceptAll(): boolean {
  return true;
}
