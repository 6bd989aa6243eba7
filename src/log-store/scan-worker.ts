import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../core/assert.ts";
import { AppError, errorMessage } from "../core/errors.ts";
import type { Signal } from "../core/record.ts";
import type { ScanContext } from "./scan.ts";
import { aggregateSnapshot } from "./scan-aggregate.ts";
import type { SearchBatch } from "./log-store.ts";
import type { FromScanWorker, ScanTask, ToScanWorker } from "./scan-messages.ts";
import { scanWorkerData } from "./scan-messages.ts";
import { searchSnapshot } from "./scan-search.ts";
import { ScanTurns, SLICE_MS } from "./scan-turns.ts";
import type { SegmentEntry } from "./segment-format.ts";
import { SegmentFiles } from "./segment-files.ts";
import type { Snapshot } from "./snapshot.ts";

/**
 * The thread that runs queries. Several may be under way; they take turns of `SLICE_MS`, or of one
 * block where that takes longer. A search makes its next batch only when its reader has asked for it.
 */
interface Scan {
  readonly id: number;
  readonly steps: ReturnType<typeof searchSnapshot> | ReturnType<typeof aggregateSnapshot>;
  /** Whether its reader waits. */
  isReady: boolean;
}

const port = parentPort;
assert(port !== null, "scan-worker.ts runs in a worker");
const { columnBytesMax } = scanWorkerData.parse(workerData);
const files = new SegmentFiles(columnBytesMax);
const context: ScanContext = {
  files,
  nowMs: () => performance.now(),
  useCounts: true,
  useFilters: true,
};
const segments = new Map<Signal, readonly SegmentEntry[]>();
const scans = new Map<number, Scan>();
const turns = new ScanTurns<Scan>();
let isScheduled = false;

port.on("message", (message: ToScanWorker) => {
  switch (message.kind) {
    case "segments": {
      const { signal, added, removedFiles } = message;
      const gone = new Set(removedFiles);
      const kept = segmentsOf(signal).filter(({ file }) => !gone.has(file));
      segments.set(signal, [...kept, ...added]);
      break;
    }
    case "start": {
      const { id, task, snapshot } = message;
      start(id, task, { ...snapshot, segments: segmentsOf(snapshot.signal) });
      break;
    }
    case "next": {
      const scan = scans.get(message.id);
      if (scan !== undefined) scan.isReady = true;
      break;
    }
    case "cancel":
      end(message.id);
      break;
    case "forget":
      files.forget(message.files);
      break;
  }
  schedule();
});
say({ kind: "ready" });

function segmentsOf(signal: Signal): readonly SegmentEntry[] {
  return segments.get(signal) ?? [];
}

function start(id: number, task: ScanTask, snapshot: Snapshot): void {
  const steps =
    task.kind === "search"
      ? searchSnapshot(snapshot, task.request, context)
      : aggregateSnapshot(snapshot, task.request, context);
  const scan: Scan = { id, steps, isReady: true };
  scans.set(id, scan);
  turns.add(scan);
}

function end(id: number): void {
  const scan = scans.get(id);
  if (scan === undefined) return;
  scans.delete(id);
  turns.remove(scan);
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  // Messages are taken between two turns, so a cancelled query stops after its slice.
  setImmediate(takeTurn);
}

function takeTurn(): void {
  isScheduled = false;
  const scan = turns.next();
  if (scan === undefined) return;
  const fromMs = performance.now();
  let ranMs = 0;
  do {
    step(scan);
    ranMs = performance.now() - fromMs;
  } while (scan.isReady && ranMs < SLICE_MS);
  turns.spend(scan, ranMs);
  schedule();
}

/** Runs a query up to its next block, batch or end. */
function step(scan: Scan): void {
  const { id } = scan;
  try {
    const result = scan.steps.next();
    if (result.done !== true && result.value === undefined) return;
    scan.isReady = false;
    if (result.done === true) {
      end(id);
      if ("end" in result.value) {
        say({ kind: "found", id, finish: result.value }, result.value.batch);
      } else say({ kind: "grouped", id, result: result.value });
    } else if (result.value !== undefined) {
      say({ kind: "batch", id, batch: result.value }, result.value);
    }
  } catch (error) {
    scan.isReady = false;
    end(id);
    const code = error instanceof AppError ? error.code : "INTERNAL";
    say({ kind: "error", id, code, message: errorMessage(error) });
  }
}

/** The memory of a batch's lines goes along, and is not copied. */
function say(message: FromScanWorker, batch?: SearchBatch): void {
  assert(port !== null, "scan-worker.ts runs in a worker");
  const memory = batch?.lines.buffer;
  port.postMessage(message, memory instanceof ArrayBuffer ? [memory] : []);
}
