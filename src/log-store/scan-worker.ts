import { parentPort } from "node:worker_threads";
import { assert } from "../core/assert.ts";
import { AppError, errorMessage } from "../core/errors.ts";
import type { ScanContext } from "./scan.ts";
import { aggregateSnapshot } from "./scan-aggregate.ts";
import type { ScanReply, ScanTask, ToScanWorker } from "./scan-messages.ts";
import { searchSnapshot } from "./scan-search.ts";
import { SegmentFiles } from "./segment-files.ts";

/**
 * The thread that runs queries. Several may be under way; each gets a block's worth of work in
 * turn. A search makes its next batch only when its reader has asked for it.
 */
type Scan = ReturnType<typeof searchSnapshot> | ReturnType<typeof aggregateSnapshot>;

const port = parentPort;
assert(port !== null, "scan-worker.ts runs in a worker");
const files = new SegmentFiles();
const context: ScanContext = { files, nowMs: () => performance.now(), useCounts: true };
/** Queries under way; `wanted` ones have a reader that waits. */
const scans = new Map<number, { readonly scan: Scan; wanted: boolean }>();
let isScheduled = false;

port.on("message", (message: ToScanWorker) => {
  switch (message.kind) {
    case "start":
      start(message.id, message.task);
      break;
    case "next": {
      const entry = scans.get(message.id);
      if (entry !== undefined) entry.wanted = true;
      break;
    }
    case "cancel":
      scans.delete(message.id);
      break;
    case "forget":
      files.forget(message.files);
      break;
  }
  schedule();
});

function start(id: number, task: ScanTask): void {
  const scan =
    task.kind === "search"
      ? searchSnapshot(task.snapshot, task.request, context)
      : aggregateSnapshot(task.snapshot, task.request, context);
  scans.set(id, { scan, wanted: true });
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  // Messages are taken between two turns, so a cancelled query stops after its current block.
  setImmediate(runOnce);
}

function runOnce(): void {
  isScheduled = false;
  let isBusy = false;
  for (const [id, entry] of scans) {
    if (!entry.wanted) continue;
    isBusy = true;
    step(id, entry);
  }
  if (isBusy) schedule();
}

function step(id: number, entry: { readonly scan: Scan; wanted: boolean }): void {
  try {
    const result = entry.scan.next();
    if (result.done === true) {
      scans.delete(id);
      reply({ kind: "end", id, end: result.value });
    } else if (result.value !== undefined) {
      entry.wanted = false;
      reply({ kind: "batch", id, batch: result.value });
    }
  } catch (error) {
    scans.delete(id);
    const code = error instanceof AppError ? error.code : "INTERNAL";
    reply({ kind: "error", id, code, message: errorMessage(error) });
  }
}

function reply(message: ScanReply): void {
  assert(port !== null, "scan-worker.ts runs in a worker");
  port.postMessage(message);
}
