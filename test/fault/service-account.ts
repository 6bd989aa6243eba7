/**
 * What a running service says that it holds: the counts of the law, and the records of fault clients.
 * A fault test compares both with what its clients were promised.
 */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { z } from "zod";
import type { AcknowledgedClient } from "./acknowledged-client.ts";

const Counts = z.object({
  received: z.number(),
  stored: z.number(),
  rejected: z.number(),
  filtered: z.number(),
  deduplicated: z.number(),
  dropped: z.number(),
  pending: z.number(),
});
type Counts = z.infer<typeof Counts>;

const Status = z.object({ signals: z.record(z.string(), Counts) });
const Count = z.object({ status: z.literal("complete"), count: z.number() });
const Row = z.union([
  z.strictObject({ message: z.string(), "record.id": z.string() }),
  z.strictObject({ end: z.looseObject({ status: z.string(), count: z.number() }) }),
]);

/** The counts of each signal. */
export async function readCounts(api: string): Promise<Readonly<Record<string, Counts>>> {
  const response = await fetch(`${api}/api/v1/status`);
  return Status.parse(await response.json()).signals;
}

/** The signals whose counts do not add up, with their counts; empty where the law holds. */
export function brokenLaw(signals: Readonly<Record<string, Counts>>): readonly string[] {
  return Object.entries(signals)
    .filter(([, counts]) => {
      const { stored, rejected, filtered, deduplicated, dropped, pending } = counts;
      return counts.received !== stored + rejected + filtered + deduplicated + dropped + pending;
    })
    .map(([signal, counts]) => `${signal}: ${JSON.stringify(counts)}`);
}

/** How many log records match; refuses an answer that is partial. */
export async function countLogs(api: string, query: string): Promise<number> {
  const response = await fetch(`${api}/api/v1/logs/count?query=${encodeURIComponent(query)}`);
  return Count.parse(await response.json()).count;
}

/** What a comparison of promise and store found; ids, of which all lists should be empty. */
export interface Comparison {
  readonly acknowledged: number;
  readonly found: number;
  /** Acknowledged, and not there. */
  readonly lost: readonly string[];
  readonly twice: readonly string[];
  /** Never sent, or with another text than was sent. */
  readonly invented: readonly string[];
}

/** Reads all records that match from the service, and holds them to what the clients were told. */
export async function compareWithStore(
  api: string,
  clients: readonly AcknowledgedClient[],
  query = "record.id:*",
): Promise<Comparison> {
  const seen = new Set<string>();
  const twice: string[] = [];
  const invented: string[] = [];
  for await (const { id, message } of readRecords(api, query)) {
    if (seen.has(id)) twice.push(id);
    seen.add(id);
    const wasSent = clients.some(({ attempted }) => attempted.has(id));
    if (!wasSent || !message.startsWith(`record ${id} took `)) invented.push(id);
  }
  const acknowledged = clients.flatMap((client) => [...client.acknowledged]);
  return {
    acknowledged: acknowledged.length,
    found: seen.size,
    lost: acknowledged.filter((id) => !seen.has(id)),
    twice,
    invented,
  };
}

async function* readRecords(
  api: string,
  query: string,
): AsyncGenerator<{ readonly id: string; readonly message: string }> {
  const pipes = encodeURIComponent(`${query} | fields message, record.id`);
  const response = await fetch(`${api}/api/v1/logs/query?query=${pipes}&timeout_ms=300000`);
  if (!response.ok || response.body === null) throw new Error(await response.text());
  let hasEnded = false;
  for await (const line of createInterface({ input: Readable.fromWeb(response.body) })) {
    const row = Row.parse(JSON.parse(line));
    if ("end" in row) {
      if (row.end.status !== "complete") throw new Error(`the answer is not whole: ${line}`);
      hasEnded = true;
    } else {
      yield { id: row["record.id"], message: row.message };
    }
  }
  if (!hasEnded) throw new Error("the answer broke off");
}
