/** Reads the service's own account of what it holds. */
import { setTimeout as delay } from "node:timers/promises";

const MERGES_WAITING = /^dora_store_merges_waiting (\d+)$/m;
const UNSEALED = /^dora_store_unsealed_records (\d+)$/m;
const POLL_MS = 200;
/** The store promises to seal within 30 seconds. */
const SEALED_TIMEOUT_MS = 45_000;

/** Waits until every record is in a segment; gives the count of those that are not, in the end. */
export async function waitUntilSealed(api: string): Promise<number> {
  const deadlineMs = performance.now() + SEALED_TIMEOUT_MS;
  for (;;) {
    const response = await fetch(`${api}/metrics`);
    const count = Number(UNSEALED.exec(await response.text())?.[1]);
    if (count === 0 || performance.now() > deadlineMs) return count;
    await delay(POLL_MS);
  }
}

/** Waits until every record is in a segment and no merge is due or under way; false after a time. */
export async function waitUntilSettled(api: string, timeoutMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const text = await (await fetch(`${api}/metrics`)).text();
    const waiting = [UNSEALED, MERGES_WAITING].map((pattern) => Number(pattern.exec(text)?.[1]));
    if (waiting.every((count) => count === 0)) return true;
    if (performance.now() > deadlineMs) return false;
    await delay(POLL_MS);
  }
}
