import { AsyncLocalStorage } from "node:async_hooks";
import type { AttributeMap } from "../core/any-value.ts";
import type { Clock } from "../core/clock.ts";
import { systemClock } from "../core/clock.ts";
import { encodeLogsRequest } from "../wire/otlp-encode.ts";
import type { EmittedRecord, LogLevel, LogSink } from "./logger.ts";

/**
 * The service's own log records, through the same journal as everyone's.
 *
 *     emit --> pending (at most PENDING_RECORDS_MAX) --> one OTLP request each FLUSH_MS --> append
 *
 * A record must not breed records, so:
 * 1. What is logged while an append of ours runs, or by what that append set going, is not stored.
 * 2. One message is stored at most `MESSAGE_BURST_MAX` times in `MESSAGE_WINDOW_MS`; the next one
 *    after that says how many were left out.
 * 3. What cannot be stored is dropped and counted, never tried again and never logged.
 * All of them still go to the other sinks, such as standard error.
 */
export const PENDING_RECORDS_MAX = 1000;
const FLUSH_MS = 200;
const MESSAGE_BURST_MAX = 10;
const MESSAGE_WINDOW_MS = 10_000;
/** Messages are constants of the source; past so many, one that varies is among them. */
const MESSAGES_MAX = 500;

/** Whose the records are; part of the retry key. */
const SELF_PRINCIPAL = "dora-self";

/** Of OTLP's numbers each level's first. */
const SEVERITY_NUMBERS: Readonly<Record<LogLevel, number>> = {
  debug: 5,
  info: 9,
  warn: 13,
  error: 17,
};

/** Where requests are appended: the part of the store's contract that is needed here. */
export interface RecordSink {
  append(request: {
    readonly signal: "logs";
    readonly body: Uint8Array;
    readonly principal: string;
  }): Promise<{ readonly status: "stored" | "invalid" | "unavailable" }>;
}

/** Own records that were not stored, by reason. */
export interface SelfLogDrops {
  /** Logged while or because an own append ran. */
  readonly loop: number;
  /** Beyond the rate of one message. */
  readonly rate: number;
  /** More were pending than are held. */
  readonly full: number;
  /** The store was unavailable, refused the request, or had closed. */
  readonly store: number;
}

interface MessageRate {
  windowStartMs: number;
  count: number;
  leftOut: number;
}

/**
 * Concurrency: main thread; `emit` never waits, appends follow one another.
 * Pitfalls: records wait until `attach`, so what is logged before the store opens is stored too.
 */
export class SelfLog implements LogSink {
  readonly #resource: AttributeMap;
  readonly #clock: Clock;
  readonly #ownAppend = new AsyncLocalStorage<true>();
  readonly #rates = new Map<string, MessageRate>();
  readonly #drops = { loop: 0, rate: 0, full: 0, store: 0 };
  #store: RecordSink | undefined;
  #pending: EmittedRecord[] = [];
  #timer: NodeJS.Timeout | undefined;
  #appending: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(resource: AttributeMap, clock: Clock = systemClock) {
    this.#resource = resource;
    this.#clock = clock;
  }

  /** Records that were not stored, since the start. */
  get drops(): SelfLogDrops {
    return { ...this.#drops };
  }

  /** From now on records go to the store. */
  attach(store: RecordSink): void {
    this.#store = store;
    this.#schedule();
  }

  emit(record: EmittedRecord): void {
    if (this.#ownAppend.getStore() === true) {
      this.#drops.loop += 1;
      return;
    }
    if (this.#isClosed) {
      this.#drops.store += 1;
      return;
    }
    const leftOut = this.#admit(record.message);
    if (leftOut === undefined) {
      this.#drops.rate += 1;
      return;
    }
    if (this.#pending.length >= PENDING_RECORDS_MAX) {
      this.#drops.full += 1;
      return;
    }
    this.#pending.push(leftOut === 0 ? record : withLeftOut(record, leftOut));
    this.#schedule();
  }

  /** Appends what is pending now. Resolves once that, and all before it, came to an end. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const store = this.#store;
    const records = this.#pending;
    if (store === undefined || records.length === 0) return this.#appending;
    this.#pending = [];
    this.#appending = this.#appending.then(() =>
      this.#ownAppend.run(true, () => this.#append(store, records)),
    );
    return this.#appending;
  }

  /** Appends what is pending and takes no more. */
  async close(): Promise<void> {
    await this.flush();
    this.#isClosed = true;
    await this.flush();
    this.#drops.store += this.#pending.length;
    this.#pending = [];
  }

  async #append(store: RecordSink, records: readonly EmittedRecord[]): Promise<void> {
    try {
      const result = await store.append({
        signal: "logs",
        body: encodeLogsRequest({
          resource: this.#resource,
          scopeName: "dora",
          records: records.map((record) => ({
            timeUnixNs: record.timeUnixNs,
            observedTimeUnixNs: record.timeUnixNs,
            severityNumber: SEVERITY_NUMBERS[record.level],
            severityText: record.level.toUpperCase(),
            body: record.message,
            attributes: record.attributes,
            traceId: record.traceId,
            spanId: record.spanId,
          })),
        }),
        principal: SELF_PRINCIPAL,
      });
      if (result.status !== "stored") this.#drops.store += records.length;
    } catch {
      // Rule 3: a failing store is reported by those who asked it, not by us.
      this.#drops.store += records.length;
    }
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#store === undefined || this.#pending.length === 0)
      return;
    this.#timer = setTimeout(() => void this.flush(), FLUSH_MS);
    this.#timer.unref();
  }

  /** How many of this message were left out before it, or undefined where it is to be left out. */
  #admit(message: string): number | undefined {
    const nowMs = this.#clock.monotonicMs();
    const key = this.#rates.has(message) || this.#rates.size < MESSAGES_MAX ? message : "";
    const rate = this.#rates.get(key) ?? { windowStartMs: nowMs, count: 0, leftOut: 0 };
    this.#rates.set(key, rate);
    if (nowMs - rate.windowStartMs >= MESSAGE_WINDOW_MS) {
      rate.windowStartMs = nowMs;
      rate.count = 0;
    }
    if (rate.count >= MESSAGE_BURST_MAX) {
      rate.leftOut += 1;
      return undefined;
    }
    rate.count += 1;
    const { leftOut } = rate;
    rate.leftOut = 0;
    return leftOut;
  }
}

function withLeftOut(record: EmittedRecord, leftOut: number): EmittedRecord {
  const attributes = new Map(record.attributes).set("dora.left_out_before", BigInt(leftOut));
  return { ...record, attributes };
}
