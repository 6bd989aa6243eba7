import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock } from "../core/clock.ts";

/** Bytes of request bodies that are held, counted before they are read (PIPE-003). */
export interface Reservation {
  readonly bytes: number;
  /** Takes more; false, and nothing is taken, where the limiter has no room. */
  grow(bytes: number): boolean;
  /** Gives back all but `bytes`. */
  shrinkTo(bytes: number): void;
  /** Gives everything back; a second call does nothing. */
  release(): void;
}

export interface MemoryLimiterOptions {
  /** Bytes of all requests together, from before they are read until they are answered. */
  readonly inFlightBytesMax: number;
  /** Resident bytes of the process; without it only the bytes in flight are limited. */
  readonly hardLimitBytes?: number;
  /** The soft limit is the hard one less this much. */
  readonly spikeBytes?: number;
  readonly checkIntervalMs?: number;
  readonly clock: Clock;
  readonly readResidentBytes?: () => number;
  readonly collectGarbage?: () => void;
}

const CHECK_INTERVAL_MS = 1000;
const SPIKE_SHARE = 0.2;

/** From here a request is large: alone it may take what is left between two checks. */
const LARGE_REQUEST_BYTES = 4 * 1024 * 1024;

/** What a request takes once it is stored, in bytes for each of its own: itself, and its columns. */
const STORED_SHARE = 2;

/** What clients are told; the Collector's words, which people search for. */
export const MEMORY_REFUSED_MESSAGE = "data refused due to high memory usage";

/**
 * Says how many bytes of requests may be held at once (PIPE-002, PIPE-003).
 *
 * Two limits: the bytes in flight, exact; and the resident size of the process, read at most once a
 * check interval. Above the soft limit requests are refused, above the hard one garbage is also
 * collected. While nothing is in flight one request goes through even above the soft limit:
 * resident memory need not fall when it is freed, and a process that refuses everything allocates
 * nothing that would make it collect. A large request must fit below the hard limit with all that
 * it becomes, as of now; where it does not, garbage is collected first, once a check interval.
 *
 * Concurrency: one limiter for all receivers of a process, main thread only.
 */
export class MemoryLimiter {
  readonly inFlightBytesMax: number;
  readonly #hardLimitBytes: number;
  readonly #softLimitBytes: number;
  readonly #checkIntervalMs: number;
  readonly #clock: Clock;
  readonly #readResidentBytes: () => number;
  readonly #collectGarbage: () => void;
  #inFlightBytes = 0;
  #refusedCount = 0;
  #residentBytes = 0;
  #checkedMs = -Infinity;
  #collectedMs = -Infinity;

  constructor(options: MemoryLimiterOptions) {
    const hardLimitBytes = options.hardLimitBytes ?? Infinity;
    this.inFlightBytesMax = options.inFlightBytesMax;
    this.#hardLimitBytes = hardLimitBytes;
    this.#softLimitBytes = hardLimitBytes - (options.spikeBytes ?? spikeOf(hardLimitBytes));
    this.#checkIntervalMs = options.checkIntervalMs ?? CHECK_INTERVAL_MS;
    this.#clock = options.clock;
    this.#readResidentBytes = options.readResidentBytes ?? (() => process.memoryUsage.rss());
    this.#collectGarbage = options.collectGarbage ?? collectGarbage;
  }

  /** Bytes reserved now. */
  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** Reservations refused since the start. */
  get refusedCount(): number {
    return this.#refusedCount;
  }

  /** Reserves bytes for a request that is about to be read, or undefined where it must wait. */
  tryReserve(bytes: number): Reservation | undefined {
    if (!this.#mayStart(bytes) || !this.#take(bytes)) {
      this.#refusedCount += 1;
      return undefined;
    }
    return this.#reservation(bytes);
  }

  #reservation(taken: number): Reservation {
    let bytes = taken;
    const shrinkTo = (kept: number): void => {
      this.#inFlightBytes -= Math.max(0, bytes - kept);
      bytes = Math.min(bytes, kept);
    };
    return {
      get bytes() {
        return bytes;
      },
      grow: (more) => {
        const isGranted =
          this.#read() < this.#hardLimitBytes && this.#fits(more) && this.#take(more);
        if (isGranted) bytes += more;
        else this.#refusedCount += 1;
        return isGranted;
      },
      shrinkTo,
      release: () => shrinkTo(0),
    };
  }

  #take(bytes: number): boolean {
    if (this.#inFlightBytes + bytes > this.inFlightBytesMax) return false;
    this.#inFlightBytes += bytes;
    return true;
  }

  #mayStart(bytes: number): boolean {
    if (!this.#fits(bytes)) return false;
    const residentBytes = this.#read();
    if (residentBytes < this.#softLimitBytes) return true;
    return residentBytes < this.#hardLimitBytes && this.#inFlightBytes === 0;
  }

  /** Whether a request has room once it is stored too; small ones are too many to ask for each. */
  #fits(bytes: number): boolean {
    if (bytes < LARGE_REQUEST_BYTES || this.#hardLimitBytes === Infinity) return true;
    if (this.#inFlightBytes + bytes > this.inFlightBytesMax) return false;
    const mostBytes = this.#hardLimitBytes - STORED_SHARE * bytes;
    this.#residentBytes = this.#readResidentBytes();
    const nowMs = this.#clock.monotonicMs();
    if (this.#residentBytes > mostBytes && nowMs - this.#collectedMs >= this.#checkIntervalMs) {
      this.#collectedMs = nowMs;
      this.#collectGarbage();
      this.#residentBytes = this.#readResidentBytes();
    }
    return this.#residentBytes <= mostBytes;
  }

  /** The resident size as of the last check. */
  #read(): number {
    if (this.#hardLimitBytes === Infinity) return 0;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#checkedMs < this.#checkIntervalMs) return this.#residentBytes;
    this.#checkedMs = nowMs;
    this.#residentBytes = this.#readResidentBytes();
    if (this.#residentBytes >= this.#hardLimitBytes) {
      this.#collectGarbage();
      this.#residentBytes = this.#readResidentBytes();
    }
    return this.#residentBytes;
  }
}

function spikeOf(hardLimitBytes: number): number {
  return Number.isFinite(hardLimitBytes) ? hardLimitBytes * SPIKE_SHARE : 0;
}

/** Runs V8's collector, also in a process that was started without `--expose-gc`. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc()");
}
