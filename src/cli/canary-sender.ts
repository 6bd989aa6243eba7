import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../core/clock.ts";
import { AppError, errorMessage } from "../core/errors.ts";
import { encodeLogsRequest } from "../wire/otlp-encode.ts";
import { ProtobufReader } from "../wire/protobuf-reader.ts";
import type { CanaryLedger } from "./canary-ledger.ts";

/** A request is sent this often, or less where the rate asks for less than one record in it. */
const PERIOD_MS = 100;
const REQUEST_RECORDS_MAX = 10_000;
const ATTEMPT_TIMEOUT_MS = 30_000;
const BACKOFF_START_MS = 50;
const BACKOFF_MAX_MS = 2000;
const RETRY_AFTER_MS_MAX = 30_000;
/** Statuses after which an OTLP client sends again (OTLP-012). */
const RETRYABLE = new Set([429, 502, 503, 504]);
const SEVERITY_INFO = 9;

export interface CanarySenderOptions {
  readonly logsUrl: URL;
  readonly token: string | undefined;
  readonly run: string;
  /** Records a second. */
  readonly rate: number;
  readonly ledger: CanaryLedger;
  readonly clock: Clock;
  readonly note: (text: string) => void;
}

type Answer =
  | { readonly status: "taken"; readonly rejectedCount: number }
  | { readonly status: "refused"; readonly why: string }
  | { readonly status: "again"; readonly why: string; readonly afterMs?: number };

/**
 * Sends numbered records at an even rate, one request after the other. A request that is not
 * answered, or answered with a retryable status, goes again with the same bytes until it is.
 *
 * Concurrency: one `run` at a time.
 */
export class CanarySender {
  readonly #options: CanarySenderOptions;
  #isOften = false;

  constructor(options: CanarySenderOptions) {
    this.#options = options;
  }

  /**
   * Sends until `stop` aborts; the last request is then retried until `giveUp` aborts.
   *
   * Errors: `SERVICE_REFUSED` where the very first request is refused: then nothing would go.
   */
  async run(stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const { rate, ledger, clock, note } = this.#options;
    const periodMs = Math.max(PERIOD_MS, 1000 / rate);
    let owedSinceMs = clock.monotonicMs() - periodMs;
    let isWaiting = false;
    while (!stop.aborted) {
      const owed = Math.floor(((clock.monotonicMs() - owedSinceMs) * rate) / 1000);
      const count = Math.min(owed, REQUEST_RECORDS_MAX, ledger.room);
      if (ledger.room === 0 && !isWaiting) {
        note("sending waits: so many records were not read back that memory for them ran out");
      }
      isWaiting = ledger.room === 0;
      if (count > 0) {
        // What was owed while the service was away is not made up for.
        owedSinceMs = count < owed ? clock.monotonicMs() : owedSinceMs + (count * 1000) / rate;
        await this.#sendOne(count, giveUp);
      }
      const untilMs = owedSinceMs + periodMs - clock.monotonicMs();
      await delay(Math.max(isWaiting ? PERIOD_MS : 0, untilMs), undefined, { signal: stop }).catch(
        () => undefined,
      );
    }
  }

  async #sendOne(count: number, giveUp: AbortSignal): Promise<void> {
    const { ledger, clock, note, logsUrl } = this.#options;
    const sentUnixNs = clock.nowUnixNs();
    const first = ledger.send(count, Number(sentUnixNs / 1_000_000n));
    const body = this.#encode(first, count, sentUnixNs);
    let backoffMs = BACKOFF_START_MS;
    let brokenMs: number | undefined;
    while (!giveUp.aborted) {
      const startedMs = clock.monotonicMs();
      const answer = await this.#attempt(body, giveUp);
      const nowMs = clock.monotonicMs();
      if (answer.status === "again") {
        if (giveUp.aborted) break;
        if (brokenMs === undefined)
          note(`${logsUrl.origin} ${answer.why}: the same bytes go again`);
        brokenMs ??= startedMs;
        ledger.tally.add("retried");
        const waitMs = answer.afterMs ?? backoffMs * (0.5 + Math.random());
        await delay(waitMs, undefined, { signal: giveUp }).catch(() => undefined);
        backoffMs = Math.min(2 * backoffMs, BACKOFF_MAX_MS);
        continue;
      }
      if (brokenMs !== undefined) {
        const seconds = ((nowMs - brokenMs) / 1000).toFixed(1);
        note(`${logsUrl.origin} answers again, after ${seconds} s`);
      }
      this.#take(answer, { nowMs, latencyMs: nowMs - startedMs });
      return;
    }
    ledger.giveUp("unanswered");
  }

  #take(
    answer: Exclude<Answer, { status: "again" }>,
    { nowMs, latencyMs }: { readonly nowMs: number; readonly latencyMs: number },
  ): void {
    const { ledger, logsUrl, note } = this.#options;
    if (answer.status === "taken" && answer.rejectedCount === 0) {
      ledger.acknowledge(nowMs, latencyMs);
      return;
    }
    const why =
      answer.status === "refused"
        ? answer.why
        : `rejected ${answer.rejectedCount} records of a request`;
    if (ledger.tally.total.counts.acknowledged === 0) {
      throw new AppError("SERVICE_REFUSED", `${logsUrl.href} ${why}`);
    }
    // Which of them were taken is not said, so none of them is held to be there.
    ledger.giveUp("refused");
    if (!this.#isOften) note(`${logsUrl.origin} ${why}`);
    this.#isOften = true;
  }

  /** Times rise from record to record, so that the order by time is the order of the numbers. */
  #encode(first: number, count: number, sentUnixNs: bigint): Uint8Array {
    const { run } = this.#options;
    return encodeLogsRequest({
      resource: new Map([
        ["service.name", "dora-canary"],
        ["service.instance.id", run],
      ]),
      scopeName: "dora.canary",
      records: Array.from({ length: count }, (_, index) => ({
        timeUnixNs: sentUnixNs + BigInt(index),
        severityNumber: SEVERITY_INFO,
        severityText: "INFO",
        body: `canary ${run} record ${first + index}`,
        attributes: new Map<string, string | bigint>([
          ["canary.run", run],
          ["canary.number", BigInt(first + index)],
        ]),
      })),
    });
  }

  async #attempt(body: Uint8Array, giveUp: AbortSignal): Promise<Answer> {
    const { logsUrl, token } = this.#options;
    const timeout = AbortSignal.timeout(ATTEMPT_TIMEOUT_MS);
    try {
      const response = await fetch(logsUrl, {
        method: "POST",
        headers: {
          "content-type": "application/x-protobuf",
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: new Uint8Array(body),
        // A redirect would carry the token to another host.
        redirect: "error",
        signal: AbortSignal.any([giveUp, timeout]),
      });
      const answer = new Uint8Array(await response.arrayBuffer());
      const { status } = response;
      if (status === 200) return { status: "taken", rejectedCount: readRejectedCount(answer) };
      if (!RETRYABLE.has(status)) return { status: "refused", why: `answered ${status}` };
      const afterMs = readRetryAfterMs(response.headers.get("retry-after"));
      return { status: "again", why: `answered ${status}`, ...(afterMs && { afterMs }) };
    } catch (error) {
      const cause = error instanceof Error ? (error.cause ?? error) : error;
      const why = timeout.aborted ? "did not answer" : `cannot be reached (${errorMessage(cause)})`;
      return { status: "again", why };
    }
  }
}

function readRetryAfterMs(text: string | null): number | undefined {
  const seconds = Number(text ?? Number.NaN);
  return seconds > 0 ? Math.min(seconds * 1000, RETRY_AFTER_MS_MAX) : undefined;
}

const PARTIAL_SUCCESS_TAG = (1 << 3) | 2;
const REJECTED_TAG = 1 << 3;

/** `partial_success.rejected_log_records` of an `ExportLogsServiceResponse`. */
function readRejectedCount(bytes: Uint8Array): number {
  const reader = new ProtobufReader();
  reader.reset(bytes);
  while (reader.position < bytes.length) {
    const tag = reader.readTag(bytes.length);
    if (tag !== PARTIAL_SUCCESS_TAG) {
      reader.skip(tag, bytes.length);
      continue;
    }
    const end = reader.readLength(bytes.length);
    while (reader.position < end) {
      const inner = reader.readTag(end);
      if (inner === REJECTED_TAG) return reader.readVarint32(end);
      reader.skip(inner, end);
    }
  }
  return 0;
}
