/**
 * What the journal alone takes: frames a second and CPU for large and for small requests, each
 * acknowledged after its sync, and the memory of a full retry window.
 *
 *     node --expose-gc bench/journal.ts [folder]
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { systemClock } from "../src/core/clock.ts";
import { Journal } from "../src/journal/journal.ts";
import { RETRY_KEYS_MAX } from "../src/journal/limits.ts";
import { NodeStorage } from "../src/journal/node-storage.ts";
import { RetryWindow, retryKey } from "../src/journal/retry-window.ts";

interface Load {
  readonly name: string;
  readonly payloadBytes: number;
  readonly appenders: number;
  readonly frames: number;
}

const LOADS: readonly Load[] = [
  { name: "468 KB from 4 appenders", payloadBytes: 468_000, appenders: 4, frames: 2000 },
  { name: "468 KB from 64 appenders", payloadBytes: 468_000, appenders: 64, frames: 2000 },
  { name: "3 KB from 1 appender", payloadBytes: 3000, appenders: 1, frames: 5000 },
  { name: "3 KB from 64 appenders", payloadBytes: 3000, appenders: 64, frames: 200_000 },
];

class CountingStorage extends NodeStorage {
  syncCount = 0;

  override async create(file: string) {
    const handle = await super.create(file);
    return {
      write: (buffers: readonly Uint8Array[]) => handle.write(buffers),
      sync: () => {
        this.syncCount++;
        return handle.sync();
      },
      close: () => handle.close(),
    };
  }
}

async function run(load: Load, base: string): Promise<void> {
  const root = fs.mkdtempSync(path.join(base, "journal-bench-"));
  const storage = new CountingStorage();
  const waiting: { readonly since: number; readonly next: () => void }[] = [];
  const latenciesMs: number[] = [];
  const { journal } = await Journal.open({
    storage,
    directory: path.join(root, "journal"),
    clock: systemClock,
    mode: "write",
    onFrame: () => {},
    onCommitted: (count) => {
      for (const { since, next } of waiting.splice(0, count)) {
        latenciesMs.push(performance.now() - since);
        next();
      }
    },
    onFailed: (error) => {
      throw error;
    },
  });
  const payload = Buffer.alloc(load.payloadBytes);
  for (let offset = 0; offset + 4 <= payload.length; offset += 4) {
    payload.writeUInt32LE(Math.imul(offset, 2_654_435_761) >>> 0, offset);
  }
  let seq = 0;
  let left = load.frames;
  const cpu = process.cpuUsage();
  const start = performance.now();
  const append = async (): Promise<void> => {
    while (left-- > 0) {
      const key = Buffer.alloc(16);
      key.writeUInt32LE(left);
      journal.append({
        signal: "logs",
        firstSeq: seq,
        receivedUnixMs: Date.now(),
        retryKey: key,
        receivedCount: 10,
        rejected: [],
        filtered: [],
        isDuplicate: false,
        payload,
      });
      seq += 10;
      await new Promise<void>((next) => waiting.push({ since: performance.now(), next }));
      if (seq % 100_000 === 0) await journal.release(seq - 50_000);
    }
  };
  await Promise.all(Array.from({ length: load.appenders }, append));
  await journal.close();
  const seconds = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  const cpuSeconds = (used.user + used.system) / 1e6;
  latenciesMs.sort((a, b) => a - b);
  const percentile = (share: number): string =>
    latenciesMs[Math.floor(latenciesMs.length * share)].toFixed(1);
  const megabytes = (load.frames * load.payloadBytes) / 1e6;
  console.log(
    [
      load.name.padEnd(26),
      `${Math.round(load.frames / seconds)} frames/s`.padStart(16),
      `${Math.round(megabytes / seconds)} MB/s`.padStart(10),
      `${((cpuSeconds / load.frames) * 1e6).toFixed(0)} us CPU/frame`.padStart(18),
      `${(load.frames / storage.syncCount).toFixed(1)} frames/sync`.padStart(18),
      `p50 ${percentile(0.5)} ms, p99 ${percentile(0.99)} ms`,
    ].join(" "),
  );
  fs.rmSync(root, { recursive: true });
}

function measureRetryWindow(): void {
  globalThis.gc?.();
  const before = process.memoryUsage();
  const window = new RetryWindow();
  const body = Buffer.alloc(8);
  const start = performance.now();
  for (let index = 0; index < RETRY_KEYS_MAX; index++) {
    body.writeUInt32LE(index);
    const entry = { receivedUnixMs: 1, receivedCount: 10, rejectedCount: 0 };
    window.add(retryKey("logs", "", body), entry, 1);
  }
  const seconds = (performance.now() - start) / 1000;
  globalThis.gc?.();
  const after = process.memoryUsage();
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  console.log(
    `retry window of ${window.size} keys: ${(bytes / 1e6).toFixed(0)} MB, ` +
      `${((seconds / window.size) * 1e6).toFixed(2)} us to hash and add one`,
  );
}

const base = process.argv[2] ?? os.tmpdir();
console.log(`journal on ${base}; Node ${process.version}, ${os.cpus().length} cores`);
for (const load of LOADS) await run(load, base);
measureRetryWindow();
