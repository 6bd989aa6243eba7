import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../core/clock.ts";
import { systemClock } from "../core/clock.ts";
import { AppError } from "../core/errors.ts";
import { formatUnixNs } from "../core/time.ts";
import type { CanaryFlags, CanaryOptions } from "./canary-flags.ts";
import { readCanaryFlags } from "./canary-flags.ts";
import { CanaryLedger, PATIENCE_MS } from "./canary-ledger.ts";
import { CanaryReader } from "./canary-reader.ts";
import type { CanaryReport } from "./canary-report.ts";
import { faultCount, faultText, reportJson, reportLines } from "./canary-report.ts";
import { CanarySender } from "./canary-sender.ts";
import { Interruption } from "./interruption.ts";
import { findToken } from "./open-log-source.ts";
import { Output } from "./output.ts";
import { ServiceSource } from "./service-source.ts";
import { note } from "./session.ts";

/** Records that may wait to be read back: those of this long, and some at least. */
const WINDOW_MS = 30_000;
const WINDOW_RECORDS_MIN = 65_536;

/** At the end what was sent gets this long to be answered, and to be read back. */
const END_ANSWER_MS = 10_000;
/** The same where nothing was ever answered. */
const END_FIRST_ANSWER_MS = 2000;
const END_READ_MS = PATIENCE_MS + 5000;
const END_LOOK_MS = 100;

/**
 * `dora canary`: writes numbered records, reads them back by live search and by search, and says what
 * was lost, doubled, out of order, and how long it took.
 *
 * Errors: `CANARY_FAILED` where a record that was acknowledged is missing, doubled or was not pushed,
 *         or where nothing could be written or read back at all.
 * Limits: memory is that of the records of 30 s; sending waits where they are not read back.
 */
export async function runCanary(flags: CanaryFlags): Promise<void> {
  const options = readCanaryFlags(flags);
  const token = await findToken({ ...flags, environment: process.env });
  const output = new Output(process.stdout);
  const notes = new Output(process.stderr);
  const interruption = new Interruption();
  try {
    const canary = new Canary(options, { token, output, notes });
    await canary.run(AbortSignal.any([interruption.signal, output.closed]));
  } finally {
    interruption.close();
  }
  if (output.failure !== undefined) throw output.failure;
}

interface CanaryParts {
  readonly token: string | undefined;
  readonly output: Output;
  readonly notes: Output;
}

class Canary {
  readonly #options: CanaryOptions;
  readonly #parts: CanaryParts;
  readonly #clock: Clock = systemClock;
  readonly #run = randomBytes(8).toString("hex");
  readonly #ledger: CanaryLedger;
  readonly #startedMs = systemClock.monotonicMs();
  readonly #sender: CanarySender;
  readonly #reader: CanaryReader;

  constructor(options: CanaryOptions, parts: CanaryParts) {
    this.#options = options;
    this.#parts = parts;
    const capacity = Math.max(WINDOW_RECORDS_MIN, (options.rate * WINDOW_MS) / 1000);
    this.#ledger = new CanaryLedger(capacity);
    const shared = {
      run: this.#run,
      ledger: this.#ledger,
      clock: this.#clock,
      note: (text: string) => void this.#note(text),
    };
    const { token } = parts;
    this.#sender = new CanarySender({ ...options, ...shared, token });
    const source = new ServiceSource({ url: options.api, token });
    this.#reader = new CanaryReader({ ...shared, source });
  }

  /** Until `stop` aborts or the duration is over; then to the end of what is under way. */
  async run(stop: AbortSignal): Promise<void> {
    const { logsUrl, rate, api } = this.#options;
    await this.#note(
      `canary ${this.#run}: ${rate} records a second to ${logsUrl.href}, read at ${api}`,
    );
    const stopSending = new AbortController();
    const stopReading = new AbortController();
    const giveUp = new AbortController();
    // What ends one of them ends all: each failure is thrown in the end.
    const endAll = (): void => {
      for (const controller of [stopSending, giveUp, stopReading]) controller.abort();
    };
    const work = [
      this.#sender.run(stopSending.signal, giveUp.signal),
      this.#reader.follow(stopReading.signal),
      this.#reader.search(stopReading.signal),
      this.#reportUntil(stopReading.signal),
    ] as const;
    const [sending] = work;
    for (const one of work) one.catch(endAll);
    await waitUntil(AbortSignal.any([stop, stopReading.signal]), this.#options.durationMs);
    stopSending.abort();
    const patienceMs = this.#hasAnswer ? END_ANSWER_MS : END_FIRST_ANSWER_MS;
    const giveUpTimer = setTimeout(() => giveUp.abort(), patienceMs);
    await sending.catch(() => undefined);
    clearTimeout(giveUpTimer);
    if (this.#hasAnswer) {
      await this.#settle(stopReading.signal);
      await this.#reader.recount(stopReading.signal);
    }
    stopReading.abort();
    await Promise.all(work);
    await this.#conclude();
  }

  get #hasAnswer(): boolean {
    return this.#ledger.tally.total.counts.acknowledged > 0;
  }

  /** Waits until all that was acknowledged is judged, or there is no more hope for it. */
  async #settle(signal: AbortSignal): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + END_READ_MS;
    while (!signal.aborted && this.#clock.monotonicMs() < untilMs) {
      await this.#reader.searchOnce(signal);
      if (this.#ledger.isSettled) return;
      await waitUntil(signal, END_LOOK_MS);
    }
  }

  async #reportUntil(signal: AbortSignal): Promise<void> {
    const { reportIntervalMs } = this.#options;
    for (let count = 1; ; count++) {
      const dueMs = this.#startedMs + count * reportIntervalMs;
      await waitUntil(signal, dueMs - this.#clock.monotonicMs());
      if (signal.aborted) return;
      await this.#reader.recount(signal);
      await this.#write("interval");
    }
  }

  async #write(kind: CanaryReport["kind"]): Promise<void> {
    const { tally } = this.#ledger;
    const report: CanaryReport = {
      kind,
      run: this.#run,
      // Six digits of a second, as everywhere.
      time: formatUnixNs((this.#clock.nowUnixNs() / 1000n) * 1000n),
      elapsedMs: this.#clock.monotonicMs() - this.#startedMs,
      figures: kind === "final" ? tally.total : tally.takeInterval(),
    };
    const { output } = this.#parts;
    if (this.#options.output === "text") await output.writeLines(reportLines(report));
    else await output.writeDocument(Buffer.from(`${reportJson(report)}\n`));
  }

  async #conclude(): Promise<void> {
    await this.#write("final");
    const { counts } = this.#ledger.tally.total;
    const { api, logsUrl } = this.#options;
    if (faultCount(counts) > 0) {
      const { named } = this.#ledger;
      const names = named.length === 0 ? "" : `, the first of them ${named.join(", ")}`;
      throw new AppError(
        "CANARY_FAILED",
        `of ${counts.acknowledged} acknowledged records: ${faultText(counts)}${names}`,
        {
          hint: `keep a copy of the store's folder, look at \`dora logs query 'canary.run:${this.#run} | count' --url ${api}\` and at \`dora logs --node dora-serve --level warn --url ${api}\`, and report both`,
        },
      );
    }
    if (!this.#hasAnswer) {
      throw new AppError("CANARY_FAILED", `${logsUrl.origin} acknowledged nothing`, {
        hint: "start the service with `dora serve`, or give its OTLP/HTTP address with --endpoint",
      });
    }
    if (!this.#ledger.isSettled) {
      throw new AppError("CANARY_FAILED", `not all that was acknowledged could be read at ${api}`, {
        hint: "give the address of the same service's query API with --api, and run it again",
      });
    }
    await this.#note("nothing that was acknowledged is lost, and nothing is doubled");
  }

  #note(text: string): Promise<void> {
    return note(this.#parts.notes, text);
  }
}

/** Resolves after so long, or when `signal` aborts. `Infinity` waits for that alone. */
async function waitUntil(signal: AbortSignal, durationMs: number): Promise<void> {
  const untilMs = performance.now() + durationMs;
  // A timer takes 2^31 ms at the most.
  for (
    let leftMs = durationMs;
    leftMs > 0 && !signal.aborted;
    leftMs = untilMs - performance.now()
  ) {
    await delay(Math.min(leftMs, 2 ** 31 - 1), undefined, { signal }).catch(() => undefined);
  }
}
