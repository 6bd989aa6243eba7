/** Reads the service's own account of what it holds. */
import { setTimeout as delay } from "node:timers/promises";

const UNSEALED = /^dora_store_unsealed_records (\d+)$/m;
const POLL_MS = 200;
const SEALED_TIMEOUT_MS = 120_000;

/** Resolves once every record is in a segment. */
export async function waitUntilSealed(api: string): Promise<void> {
  const deadlineMs = performance.now() + SEALED_TIMEOUT_MS;
  for (;;) {
    const response = await fetch(`${api}/metrics`);
    const count = Number(UNSEALED.exec(await response.text())?.[1]);
    if (count === 0) return;
    if (performance.now() > deadlineMs) throw new Error(`${count} records are still unsealed`);
    await delay(POLL_MS);
  }
}
