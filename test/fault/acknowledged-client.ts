/**
 * An OTLP client that knows what it was promised. It sends log requests over OTLP/HTTP, one at a
 * time, and retries as an OTLP client does: the same bytes, with backoff, until they are acknowledged.
 * A test that kills the service compares what is stored with `acknowledged` and `attempted`.
 *
 * A record's id stands in its body and in the attribute `record.id`: `<clientId>-<counter>`.
 */
import { Agent, request as httpRequest } from "node:http";
import { OtlpLogWriter } from "../../bench/otlp-writer.ts";
import { Random } from "../../bench/random.ts";

export interface AcknowledgedClientOptions {
  readonly clientId: string;
  readonly seed: number;
  /** Where the service listens now, `http://HOST:PORT`; asked before each attempt. */
  readonly endpoint: () => string;
  /** Records of a request, at the most; each request has a random number of them. */
  readonly recordsPerRequestMax?: number;
  /** Characters of hex that each record carries besides, so that the store has something to seal. */
  readonly fillerChars?: number;
}

const RECORDS_PER_REQUEST_MAX = 50;
const BACKOFF_START_MS = 5;
const BACKOFF_MAX_MS = 250;
const ATTEMPT_TIMEOUT_MS = 10_000;
/** HTTP statuses after which an OTLP client sends again (OTLP-012). */
const RETRYABLE = new Set([429, 502, 503, 504]);

/** One caller; `run` once at a time. The sets may be read while it runs. */
export class AcknowledgedClient {
  readonly #options: AcknowledgedClientOptions;
  readonly #random: Random;
  readonly #writer = new OtlpLogWriter();
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #acknowledged = new Set<string>();
  readonly #attempted = new Set<string>();
  #counter = 0;
  #retryCount = 0;
  /** The request that was sent but not yet acknowledged: a later `run` goes on with it. */
  #unanswered: PendingRequest | undefined;

  constructor(options: AcknowledgedClientOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  /** Ids of the records that the service said are stored. */
  get acknowledged(): ReadonlySet<string> {
    return this.#acknowledged;
  }

  /** Ids of all records that were ever sent, acknowledged or not. */
  get attempted(): ReadonlySet<string> {
    return this.#attempted;
  }

  get retryCount(): number {
    return this.#retryCount;
  }

  /**
   * Sends until `signal` aborts. With `requestCount` it also ends after so many acknowledgements.
   *
   * Errors: an answer that is final and no success, as 400, ends the run.
   */
  async run(signal: AbortSignal, requestCount = Number.POSITIVE_INFINITY): Promise<void> {
    for (let done = 0; done < requestCount && !signal.aborted; done++) {
      this.#unanswered ??= this.#nextRequest();
      if (!(await this.#sendUntilAcknowledged(this.#unanswered, signal))) return;
      for (const id of this.#unanswered.ids) this.#acknowledged.add(id);
      this.#unanswered = undefined;
    }
  }

  /** Sends what is not yet acknowledged once more, until it is. */
  async settle(signal: AbortSignal): Promise<void> {
    if (this.#unanswered !== undefined) await this.run(signal, 1);
  }

  close(): void {
    this.#agent.destroy();
  }

  #nextRequest(): PendingRequest {
    const {
      clientId,
      recordsPerRequestMax = RECORDS_PER_REQUEST_MAX,
      fillerChars = 0,
    } = this.#options;
    const filler = fillerChars === 0 ? [] : [["filler", this.#random.hex(fillerChars)] as const];
    const count = this.#random.between(1, recordsPerRequestMax);
    const ids = Array.from({ length: count }, () => `${clientId}-${this.#counter++}`);
    const nowUnixNs = BigInt(Date.now()) * 1_000_000n;
    const logs = ids.map((id, index) => ({
      timeUnixNs: nowUnixNs + BigInt(index),
      severityNumber: this.#random.chance(0.1) ? 17 : 9,
      severityText: "",
      body: `record ${id} took ${this.#random.between(1, 900)} ms`,
      attributes: [["record.id", id] as const, ...filler],
      traceId: this.#random.hex(32),
      spanId: this.#random.hex(16),
    }));
    const resource = [["service.name", clientId]] as const;
    return { ids, body: this.#writer.encodeRequest([{ resource, scopeName: "fault", logs }]) };
  }

  /** True once acknowledged, false when `signal` aborted before. */
  async #sendUntilAcknowledged(pending: PendingRequest, signal: AbortSignal): Promise<boolean> {
    for (let backoffMs = BACKOFF_START_MS; !signal.aborted;) {
      for (const id of pending.ids) this.#attempted.add(id);
      const status = await this.#post(pending.body, signal);
      if (status === 200) return true;
      if (status !== undefined && !RETRYABLE.has(status)) {
        throw new Error(`the service answered ${status} to records ${pending.ids.join(", ")}`);
      }
      this.#retryCount++;
      await pause(backoffMs * (0.5 + this.#random.unit()), signal);
      backoffMs = Math.min(2 * backoffMs, BACKOFF_MAX_MS);
    }
    return false;
  }

  /** The status of the answer; undefined where none came: the request may have been stored or not. */
  #post(body: Uint8Array, signal: AbortSignal): Promise<number | undefined> {
    return new Promise((resolve) => {
      const request = httpRequest(
        `${this.#options.endpoint()}/v1/logs`,
        {
          method: "POST",
          agent: this.#agent,
          signal,
          timeout: ATTEMPT_TIMEOUT_MS,
          headers: { "content-type": "application/x-protobuf", "content-length": body.length },
        },
        (response) => {
          response.resume();
          response.once("error", () => resolve(undefined));
          // Only a whole answer counts: the service may die inside it.
          response.once("end", () => resolve(response.complete ? response.statusCode : undefined));
          response.once("close", () => resolve(undefined));
        },
      );
      request.once("timeout", () => request.destroy());
      request.once("error", () => resolve(undefined));
      request.end(body);
    });
  }
}

interface PendingRequest {
  readonly ids: readonly string[];
  readonly body: Uint8Array;
}

/** Waits, or less where `signal` aborts; never rejects. */
function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, delayMs);
    signal.addEventListener("abort", end, { once: true });
  });
}
