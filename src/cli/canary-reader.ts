import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../core/clock.ts";
import { AppError, errorMessage } from "../core/errors.ts";
import { ALL_TIME } from "../core/time.ts";
import type { Query } from "../query/parse-query.ts";
import { parseQuery } from "../query/parse-query.ts";
import type { AnswerRow } from "./answer-rows.ts";
import { rowsOf } from "./answer-rows.ts";
import type { CanaryLedger, NumberRange } from "./canary-ledger.ts";
import type { LogSource } from "./log-source.ts";

/** Records of one search at the most; what is left is for the next one. */
const SEARCH_RECORDS_MAX = 1_000_000;
const NUMBER = "canary.number";
/** How often what was acknowledged is searched for. */
const SEARCH_PERIOD_MS = 2000;
const RECONNECT_START_MS = 50;
const RECONNECT_MAX_MS = 1000;
/** A clock of the machine may be set back between two records. */
const CLOCK_STEP_MS = 60_000;

export interface CanaryReaderOptions {
  readonly source: LogSource;
  readonly run: string;
  readonly ledger: CanaryLedger;
  readonly clock: Clock;
  readonly note: (text: string) => void;
}

/**
 * Reads the canary's records back in three ways: pushed by live search, found by search, and, what
 * was found before, counted again.
 *
 * Concurrency: `follow` and `search` run beside each other, each once.
 */
export class CanaryReader {
  readonly #options: CanaryReaderOptions;
  /** What is said once, until it goes well again. */
  #complaint = "";

  constructor(options: CanaryReaderOptions) {
    this.#options = options;
  }

  /** Follows the run's records until aborted, and connects again where that breaks. */
  async follow(signal: AbortSignal): Promise<void> {
    const { source, run, ledger, clock, note } = this.#options;
    let backoffMs = RECONNECT_START_MS;
    let isBroken = false;
    while (!signal.aborted) {
      try {
        const query = parseQuery(`attributes.canary.run:'${run}'`);
        for await (const event of source.follow({ query, backlog: 0 }, signal)) {
          if (isBroken) note("the live search stands again");
          isBroken = false;
          backoffMs = RECONNECT_START_MS;
          if (event.kind === "missed") {
            ledger.leaveOut(event.count);
            continue;
          }
          const nowMs = clock.monotonicMs();
          for (const row of rowsOf(event.lines)) {
            const number = numberOf(row);
            if (number !== undefined) ledger.push(number, nowMs);
          }
        }
      } catch (error) {
        if (signal.aborted) return;
        throwIfFinal(error);
        if (!isBroken) note(`${errorMessage(error)}: it is begun again`);
        isBroken = true;
      }
      if (signal.aborted) return;
      ledger.endLive(clock.monotonicMs());
      await delay(backoffMs, undefined, { signal }).catch(() => undefined);
      backoffMs = Math.min(2 * backoffMs, RECONNECT_MAX_MS);
    }
  }

  /** Searches for what was acknowledged, until aborted. */
  async search(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.searchOnce(signal);
      await delay(SEARCH_PERIOD_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** One search, and judgement of what is due. */
  async searchOnce(signal: AbortSignal): Promise<void> {
    const { ledger, clock } = this.#options;
    const range = ledger.nextSearch(SEARCH_RECORDS_MAX);
    if (range !== undefined) {
      const startedMs = clock.monotonicMs();
      const found = ledger.beginSearch(range);
      const isWhole = await this.#ask(range, "fields canary.number", signal, (row) => {
        const number = numberOf(row);
        if (number !== undefined) found.see(number);
      });
      if (isWhole) found.end(startedMs);
    }
    ledger.judgeLive(clock.monotonicMs());
  }

  /** Counts what was found in the last minutes once more. */
  async recount(signal: AbortSignal): Promise<void> {
    const { ledger } = this.#options;
    const watched = ledger.watched;
    if (watched === undefined) return;
    let count: number | undefined;
    const isWhole = await this.#ask(watched, "count", signal, (row) => {
      const value = row["count"];
      if (typeof value === "number") count = value;
    });
    if (isWhole && count !== undefined) ledger.recount(watched, count);
  }

  /** False where the answer is not whole, or there was none; that is said once. */
  async #ask(
    range: NumberRange,
    pipe: string,
    signal: AbortSignal,
    onRow: (row: AnswerRow) => void,
  ): Promise<boolean> {
    const { source, note } = this.#options;
    const fromUnixNs = BigInt(Math.round(range.sinceUnixMs - CLOCK_STEP_MS)) * 1_000_000n;
    const request = {
      query: this.#query(range, pipe),
      range: { fromUnixNs, toUnixNs: ALL_TIME.toUnixNs },
      order: "oldest",
    } as const;
    let complaint = "";
    try {
      const answer = source.run(request, signal);
      let step = await answer.next();
      while (step.done !== true) {
        for (const row of rowsOf(step.value)) onRow(row);
        step = await answer.next();
      }
      if (step.value.status === "partial") {
        complaint = `a search gave a part only: ${step.value.reasons.join("; ")}`;
      }
    } catch (error) {
      if (signal.aborted) return false;
      throwIfFinal(error);
      complaint = errorMessage(error);
    }
    if (complaint !== "" && this.#complaint === "") note(`${complaint}: it is asked again`);
    this.#complaint = complaint;
    return complaint === "";
  }

  #query({ from, to }: NumberRange, pipe: string): Query {
    const numbers = `attributes.canary.number:[${from} TO ${to}}`;
    return parseQuery(`attributes.canary.run:'${this.#options.run}' ${numbers} | ${pipe}`);
  }
}

/** What no second try will change: a token that is wrong, a query that is not understood. */
function throwIfFinal(error: unknown): void {
  if (!(error instanceof AppError)) throw error;
  const { code } = error;
  if (code === "UNAUTHENTICATED" || code === "QUERY_SYNTAX" || code === "USAGE") throw error;
}

/** Of an entry, or of a row with the number alone. */
function numberOf(row: AnswerRow): number | undefined {
  const { attributes } = row;
  const holder = typeof attributes === "object" && attributes !== null ? attributes : row;
  const value = new Map(Object.entries(holder)).get(NUMBER);
  return typeof value === "number" ? value : undefined;
}
