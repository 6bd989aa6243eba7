/**
 * Compares what all processes of the chaos run wrote down: on each link, and for each process of the
 * sender, what was sent against what was taken.
 */
import type { LedgerEntry, ProcessLedger } from "./ledger.ts";
import { SENT, TAKEN } from "./ledger.ts";
import type { FlowLink } from "./topology.ts";

/** A process that was killed, and when its node's next one took or sent its first message. */
export interface Kill {
  readonly node: string;
  readonly atUnixMs: number;
  readonly backAtUnixMs: number;
}

/** Messages of one process that follow one another and were not taken. */
export interface Gap {
  readonly link: FlowLink;
  readonly count: number;
  /** When the first and the last of them were sent. */
  readonly firstUnixMs: number;
  readonly lastUnixMs: number;
  /** Nothing later of the same process was taken. */
  readonly isTail: boolean;
  /** Nothing earlier of it was. */
  readonly isHead: boolean;
  /** Whose kill explains it. */
  readonly killed: "sender" | "receiver" | undefined;
}

export interface Judgement {
  readonly sent: number;
  readonly taken: number;
  readonly twice: number;
  /** Behind a message that was sent after it. */
  readonly disordered: number;
  /** Taken, and never sent. */
  readonly invented: number;
  readonly gaps: readonly Gap[];
}

/** So long before its receiver was killed a message was sent that lay in its queue, at most. */
const WAITED_MS_MAX = 5000;
/** So long after it the sender may not have been told: what it sends then is under way. Later messages wait. */
const UNTOLD_MS_MAX = 500;

export function judge(
  links: readonly FlowLink[],
  ledgers: ReadonlyMap<string, readonly ProcessLedger[]>,
  kills: readonly Kill[],
): Judgement {
  const parts = links.map((link) => judgeLink(link, ledgers, kills));
  const sum = (count: (part: Judgement) => number): number =>
    parts.reduce((total, part) => total + count(part), 0);
  return {
    sent: sum(({ sent }) => sent),
    taken: sum(({ taken }) => taken),
    twice: sum(({ twice }) => twice),
    disordered: sum(({ disordered }) => disordered),
    invented: sum(({ invented }) => invented),
    gaps: parts.flatMap(({ gaps }) => gaps),
  };
}

function judgeLink(
  link: FlowLink,
  ledgers: ReadonlyMap<string, readonly ProcessLedger[]>,
  kills: readonly Kill[],
): Judgement {
  const sent = new Map<number, readonly LedgerEntry[]>();
  for (const { incarnation, entries } of ledgers.get(link.source) ?? []) {
    sent.set(
      incarnation,
      entries.filter(({ kind }) => kind === SENT),
    );
  }
  const seen = new Map([...sent].map(([name, entries]) => [name, new Uint8Array(entries.length)]));
  let taken = 0;
  let twice = 0;
  let disordered = 0;
  let invented = 0;
  for (const { entries } of ledgers.get(link.target) ?? []) {
    // A new process of the receiver begins anew: what waited for the old one may come to it.
    let newest = { incarnation: 0, sequence: -1 };
    for (const entry of entries) {
      if (entry.kind !== TAKEN || entry.input !== link.input) continue;
      taken += 1;
      const marks = seen.get(entry.incarnation);
      if (marks === undefined || entry.sequence >= marks.length) invented += 1;
      else if (marks[entry.sequence] === 1) twice += 1;
      else marks[entry.sequence] = 1;
      if (isBefore(entry, newest)) disordered += 1;
      else newest = entry;
    }
  }
  const gaps: Gap[] = [];
  for (const [name, entries] of sent) {
    gaps.push(...findGaps(link, entries, seen.get(name) ?? new Uint8Array(), kills));
  }
  const count = [...sent.values()].reduce((total, entries) => total + entries.length, 0);
  return { sent: count, taken, twice, disordered, invented, gaps };
}

type Place = Pick<LedgerEntry, "incarnation" | "sequence">;

function isBefore(left: Place, right: Place): boolean {
  if (left.incarnation !== right.incarnation) return left.incarnation < right.incarnation;
  return left.sequence < right.sequence;
}

function* findGaps(
  link: FlowLink,
  entries: readonly LedgerEntry[],
  marks: Uint8Array,
  kills: readonly Kill[],
): Generator<Gap> {
  for (let first = marks.indexOf(0); first !== -1;) {
    const next = marks.indexOf(1, first);
    const end = next === -1 ? marks.length : next;
    const firstUnixMs = entries[first].atUnixMs;
    const lastUnixMs = entries[end - 1].atUnixMs;
    const gap = { firstUnixMs, lastUnixMs, isTail: next === -1, isHead: first === 0 };
    yield { link, count: end - first, ...gap, killed: explain(link, gap, kills) };
    first = marks.indexOf(0, end);
  }
}

function explain(
  link: FlowLink,
  gap: Pick<Gap, "firstUnixMs" | "lastUnixMs" | "isTail" | "isHead">,
  kills: readonly Kill[],
): Gap["killed"] {
  const { firstUnixMs, lastUnixMs, isTail, isHead } = gap;
  const isOfReceiver = kills.some(
    ({ node, atUnixMs }) =>
      node === link.target &&
      firstUnixMs >= atUnixMs - WAITED_MS_MAX &&
      lastUnixMs <= atUnixMs + UNTOLD_MS_MAX &&
      // A sender that began after the kill was told nothing wrong: it had no link yet.
      !(isHead && firstUnixMs > atUnixMs),
  );
  if (isOfReceiver) return "receiver";
  // What waited in its outbox is the end of all that it sent, however long it waited.
  const isOfSender =
    isTail && kills.some(({ node, atUnixMs }) => node === link.source && lastUnixMs <= atUnixMs);
  return isOfSender ? "sender" : undefined;
}
