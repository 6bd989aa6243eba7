import type { Thresholds } from "../dataflow/dataflow.ts";
import type { NodeRates } from "../protocol/status.ts";

/** Between two warnings of one kind about one node. */
export const WARNING_INTERVAL_MS = 60_000;
const MINUTE_MS = 60_000;

/** Looks each second whether a node is past what its file allows, and says so once a minute. */
export class ThresholdWatch {
  readonly #thresholds: Thresholds;
  readonly #warnedMs = new Map<string, number>();
  /** Errors since the start, each second of the last minute. */
  #errors: { readonly atMs: number; readonly count: number }[] = [];

  /** What the node leaves open, the file's own thresholds say. */
  constructor(ofNode: Thresholds, ofFile: Thresholds) {
    this.#thresholds = {
      latencyMs: ofNode.latencyMs ?? ofFile.latencyMs,
      memoryMb: ofNode.memoryMb ?? ofFile.memoryMb,
      errorsPerMinute: ofNode.errorsPerMinute ?? ofFile.errorsPerMinute,
    };
  }

  /** Shape: the warnings that are due, as sentences. `nowMs` is monotonic. */
  check(nowMs: number, rates: NodeRates, memoryBytes: number | null): readonly string[] {
    const { latencyMs, memoryMb, errorsPerMinute } = this.#thresholds;
    const warnings: string[] = [];
    const warn = (kind: string, sentence: string): void => {
      const last = this.#warnedMs.get(kind);
      if (last !== undefined && nowMs - last < WARNING_INTERVAL_MS) return;
      this.#warnedMs.set(kind, nowMs);
      warnings.push(sentence);
    };
    const latency = (rates.latencyP99Ns ?? 0) / 1e6;
    if (latencyMs !== undefined && latency > latencyMs) {
      warn("latency", `High latency detected (${rounded(latency)}ms).`);
    }
    const megabytes = (memoryBytes ?? 0) / 1e6;
    if (memoryMb !== undefined && megabytes > memoryMb) {
      warn("memory", `High memory use detected (${rounded(megabytes)}MB).`);
    }
    const errors = this.#errorsOfMinute(nowMs, rates.errors);
    if (errorsPerMinute !== undefined && errors > errorsPerMinute) {
      warn("errors", `High error rate detected (${errors} errors/min).`);
    }
    return warnings;
  }

  #errorsOfMinute(nowMs: number, count: number): number {
    // Of a process that was started again the counts begin anew.
    if (count < (this.#errors.at(-1)?.count ?? 0)) this.#errors = [];
    if (this.#errors.length === 0) this.#errors.push({ atMs: nowMs, count: 0 });
    this.#errors.push({ atMs: nowMs, count });
    // The oldest one that is kept is a minute old: what came since then is the rest.
    while ((this.#errors[1]?.atMs ?? nowMs) <= nowMs - MINUTE_MS) this.#errors.shift();
    return count - (this.#errors[0]?.count ?? 0);
  }
}

/** 5, 0.4, 12: as few digits as tell the size. */
function rounded(value: number): string {
  return value >= 1 ? String(Math.round(value)) : value.toFixed(1);
}
