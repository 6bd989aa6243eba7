/** Reads the service's own account of what it holds. */
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";

/** What we read of `/api/v1/status`. */
const Status = z.looseObject({ unsealed_rows: z.number() });

const POLL_MS = 250;
const SEALED_TIMEOUT_MS = 90_000;

/** Resolves once every record is in a segment. */
export async function waitUntilSealed(api: string): Promise<void> {
  const deadlineMs = performance.now() + SEALED_TIMEOUT_MS;
  for (;;) {
    const response = await fetch(`${api}/api/v1/status`);
    const { unsealed_rows: unsealedRows } = Status.parse(await response.json());
    if (unsealedRows === 0) return;
    if (performance.now() > deadlineMs) throw new Error(`${unsealedRows} rows are still unsealed`);
    await delay(POLL_MS);
  }
}
