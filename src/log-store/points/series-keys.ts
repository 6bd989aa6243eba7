import type { Block, BytesColumn, Dictionary } from "../block.ts";

/**
 * What tells the series of points apart: resource, scope, metric with its kind, attributes and kind of
 * value, as 48 bits of a hash. Two series with one key make larger segments and nothing worse.
 *
 * It is the same in all segments, so a merge need not look at attributes again.
 */
export type SeriesKeys = (row: number) => number;

/** The keys of a block's rows: those that its segment has, or made from its columns. */
export function seriesKeysOf(block: Block): SeriesKeys {
  const series = block.series?.();
  if (series !== undefined) return (row) => series.keys[series.ids[row]];
  const resources = dictionaryHashes(block, "resource");
  const scopes = dictionaryHashes(block, "scope");
  const metrics = dictionaryHashes(block, "metric");
  const bytes = ["metric_kind", "temporality", "is_monotonic", "value_kind"].map((name) =>
    block.u8(name),
  );
  const attributes = block.bytes("attributes");
  return (row) => {
    hashRow(attributes, row);
    mix(resources.of(row));
    mix(scopes.of(row));
    mix(metrics.of(row));
    for (const column of bytes) mix(column[row]);
    return (high & 0xffff) * 2 ** 32 + (low >>> 0);
  };
}

/** The two halves of the hash at hand. */
let low = 0;
let high = 0;

function mix(value: number): void {
  low = Math.imul(low ^ value, 0x9e37_79b1);
  low ^= low >>> 15;
  high = Math.imul(high ^ value, 0x2c1b_3c6d) ^ low;
  high ^= high >>> 13;
}

function hashRow({ data, starts, ends }: BytesColumn, row: number): void {
  low = 0x811c_9dc5;
  high = 0x2545_f491;
  hashBytes(data, starts[row], ends[row]);
}

function hashBytes(bytes: Uint8Array, start: number, end: number): void {
  mix(end - start);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    mix(bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24));
  }
  for (; at < end; at++) mix(bytes[at]);
}

/** Hashes of a dictionary's entries, made as they are asked for. */
function dictionaryHashes(block: Block, name: string): { of(row: number): number } {
  const { ids, dictionary } = block.dict(name);
  const hashes = new Map<number, number>();
  return {
    of: (row) => {
      const id = ids[row];
      let hash = hashes.get(id);
      if (hash === undefined) {
        hash = hashOf(dictionary, id);
        hashes.set(id, hash);
      }
      return hash;
    },
  };
}

function hashOf(dictionary: Dictionary, id: number): number {
  const [lowBefore, highBefore] = [low, high];
  [low, high] = [0x811c_9dc5, 0x2545_f491];
  const entry = dictionary.entry(id);
  hashBytes(entry, 0, entry.length);
  const hash = low ^ high;
  [low, high] = [lowBefore, highBefore];
  return hash;
}
