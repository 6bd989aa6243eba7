/**
 * What a node of the chaos run writes of every message, before it goes on: a process that is killed
 * with -9 loses none of it, since each record is with the system when the write returns. One file a
 * process, `NODE.INCARNATION.ledger`; integers and floats are little endian.
 *
 *     offset size field
 *     0      1    kind: 1 taken from an input, 2 about to be sent
 *     1      1    taken: index of the input among the node's inputs; sent: 0
 *     2      2    messages that waited in the node's queues
 *     4      4    sequence number, from 0 in each process of the sender
 *     8      8    incarnation of the sender: when its process began, Unix milliseconds (float64)
 *     16     8    when it was written, Unix milliseconds (float64)
 */
import { closeSync, openSync, readFileSync, readdirSync, writeSync } from "node:fs";
import { join } from "node:path";

export const ENTRY_BYTES = 24;
export const TAKEN = 1;
export const SENT = 2;
const FILE_NAME = /^(?<node>.+)\.(?<incarnation>\d+)\.ledger$/;

export interface LedgerEntry {
  readonly kind: typeof TAKEN | typeof SENT;
  readonly input: number;
  readonly queued: number;
  readonly sequence: number;
  readonly incarnation: number;
  readonly atUnixMs: number;
}

/** One process of a node: what it did, in order. */
export interface ProcessLedger {
  readonly incarnation: number;
  readonly entries: readonly LedgerEntry[];
}

export class LedgerWriter {
  readonly #file: number;
  readonly #entry = Buffer.alloc(ENTRY_BYTES);

  constructor(folder: string, node: string, incarnation: number) {
    this.#file = openSync(join(folder, `${node}.${incarnation}.ledger`), "ax");
  }

  /** The entry's time is now. */
  write(entry: Omit<LedgerEntry, "atUnixMs">): void {
    const bytes = this.#entry;
    bytes[0] = entry.kind;
    bytes[1] = entry.input;
    bytes.writeUInt16LE(entry.queued, 2);
    bytes.writeUInt32LE(entry.sequence, 4);
    bytes.writeDoubleLE(entry.incarnation, 8);
    bytes.writeDoubleLE(performance.timeOrigin + performance.now(), 16);
    writeSync(this.#file, bytes);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** All processes of all nodes, by node, the oldest process first. */
export function readLedgers(folder: string): ReadonlyMap<string, readonly ProcessLedger[]> {
  const ledgers = new Map<string, ProcessLedger[]>();
  for (const name of readdirSync(folder)) {
    const { node, incarnation } = FILE_NAME.exec(name)?.groups ?? {};
    if (node === undefined) continue;
    const entries = readEntries(readFileSync(join(folder, name)));
    const processes = ledgers.get(node) ?? [];
    processes.push({ incarnation: Number(incarnation), entries });
    ledgers.set(node, processes);
  }
  for (const processes of ledgers.values()) {
    processes.sort((left, right) => left.incarnation - right.incarnation);
  }
  return ledgers;
}

function readEntries(bytes: Buffer): readonly LedgerEntry[] {
  const entries: LedgerEntry[] = [];
  for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    entries.push({
      kind: bytes[at] === TAKEN ? TAKEN : SENT,
      input: bytes[at + 1],
      queued: bytes.readUInt16LE(at + 2),
      sequence: bytes.readUInt32LE(at + 4),
      incarnation: bytes.readDoubleLE(at + 8),
      atUnixMs: bytes.readDoubleLE(at + 16),
    });
  }
  return entries;
}
