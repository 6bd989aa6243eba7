import { assert } from "../core/assert.ts";

/**
 * Ordinals of a request's records that were rejected or filtered, as runs: a request that is
 * filtered whole takes four bytes.
 *
 *     rejected run count, varint
 *     for each run: records since the end of the run before, varint; records in the run, varint
 *     the same for filtered
 *
 * Nothing rejected and nothing filtered is no byte at all. A varint has seven bits a byte, low ones
 * first, the top bit set on all but the last.
 */
export function encodeOrdinals(
  rejected: readonly number[],
  filtered: readonly number[],
): Uint8Array {
  if (rejected.length === 0 && filtered.length === 0) return NOTHING;
  const bytes: number[] = [];
  for (const ordinals of [rejected, filtered]) {
    const runs = findRuns(ordinals);
    pushVarint(bytes, runs.length / 2);
    for (const number of runs) pushVarint(bytes, number);
  }
  return Uint8Array.from(bytes);
}

const NOTHING = new Uint8Array(0);

/** Gap and length of each run, one after the other. */
function findRuns(ordinals: readonly number[]): readonly number[] {
  const runs: number[] = [];
  let start = 0;
  let end = 0;
  for (const ordinal of ordinals) {
    assert(ordinal >= end, "ordinals ascend");
    if (ordinal === end && end > start) {
      runs[runs.length - 1] = ++end - start;
    } else {
      runs.push(ordinal - end, 1);
      start = ordinal;
      end = ordinal + 1;
    }
  }
  return runs;
}

function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
}

interface Ordinals {
  readonly rejected: readonly number[];
  readonly filtered: readonly number[];
}

const NO_ORDINALS: Ordinals = { rejected: [], filtered: [] };

/** The two lists, or undefined where the bytes are none, or name a record past `recordCount`. */
export function decodeOrdinals(bytes: Uint8Array, recordCount: number): Ordinals | undefined {
  if (bytes.length === 0) return NO_ORDINALS;
  const reader = new VarintReader(bytes);
  const rejected = readRuns(reader, recordCount);
  const filtered = readRuns(reader, recordCount);
  if (rejected === undefined || filtered === undefined || !reader.isAtEnd) return undefined;
  return { rejected, filtered };
}

function readRuns(reader: VarintReader, recordCount: number): number[] | undefined {
  const runCount = reader.read();
  const ordinals: number[] = [];
  let end = 0;
  for (let run = 0; run < runCount; run++) {
    const start = end + reader.read();
    end = start + reader.read();
    // A NaN from a cut varint fails this check too.
    if (!(end > start && end <= recordCount)) return undefined;
    for (let ordinal = start; ordinal < end; ordinal++) ordinals.push(ordinal);
  }
  return Number.isNaN(runCount) ? undefined : ordinals;
}

class VarintReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  /** The next number, NaN where the bytes end or it is past 28 bits, as no ordinal is. */
  read(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#bytes[this.#offset++];
      if (byte === undefined) return Number.NaN;
      value |= (byte & 0x7f) << shift;
      if (byte <= 0x7f) return value;
    }
    return Number.NaN;
  }
}
