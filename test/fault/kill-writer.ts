import type { Random } from "../../bench/random.ts";
import type { LogToEncode, SpanToEncode } from "../../src/wire/otlp-encode.ts";
import { encodeLogsRequest, encodeTracesRequest } from "../../src/wire/otlp-encode.ts";
import type { KillAccount } from "./kill-account.ts";
import type { KillSignal } from "./kill-messages.ts";
import type { KillProcess } from "./kill-process.ts";

export interface KillWriterOptions {
  readonly name: string;
  readonly signal: KillSignal;
  readonly recordsMax: number;
  readonly fillerChars: number;
  readonly random: Random;
  readonly account: KillAccount;
}

interface Request {
  readonly first: number;
  readonly count: number;
  readonly body: Uint8Array;
}

const SEVERITY_INFO = 9;
const KIND_SERVER = 2;

/**
 * Sends requests, one at a time. What a killed store did not acknowledge goes to the next one with
 * the same bytes, as an OTLP client does it.
 *
 * Concurrency: one `run` at a time.
 */
export class KillWriter {
  readonly #options: KillWriterOptions;
  #unanswered: Request | undefined;
  #retryCount = 0;

  constructor(options: KillWriterOptions) {
    this.#options = options;
  }

  get retryCount(): number {
    return this.#retryCount;
  }

  /** Until `store` dies, or, without a new request, until nothing is unanswered. */
  async run(store: KillProcess, { isSettling }: { readonly isSettling: boolean }): Promise<void> {
    const { signal, account } = this.#options;
    if (this.#unanswered !== undefined) this.#retryCount += 1;
    else if (isSettling) return;
    for (;;) {
      this.#unanswered ??= this.#nextRequest();
      const { first, count, body } = this.#unanswered;
      const answer = await store.append(signal, body);
      if (answer === undefined) return;
      if (answer.status === "invalid") throw new Error(`records from ${first} on are invalid`);
      if (answer.status !== "stored") continue;
      account.acknowledge(first, count);
      this.#unanswered = undefined;
      if (isSettling) return;
    }
  }

  #nextRequest(): Request {
    const { name, signal, recordsMax, random, account } = this.#options;
    const count = random.between(1, recordsMax);
    const nowUnixMs = Date.now();
    const first = account.give(count, nowUnixMs);
    const timeUnixNs = BigInt(nowUnixMs) * 1_000_000n;
    const numbers = Array.from({ length: count }, (_, index) => first + index);
    const envelope = { resource: new Map([["service.name", name]]), scopeName: "kill" };
    const body =
      signal === "logs"
        ? encodeLogsRequest({
            ...envelope,
            records: numbers.map((number) => this.#log(number, timeUnixNs)),
          })
        : encodeTracesRequest({
            ...envelope,
            spans: numbers.map((number) => this.#span(number, timeUnixNs)),
          });
    return { first, count, body };
  }

  #log(number: number, timeUnixNs: bigint): LogToEncode {
    const { random, fillerChars } = this.#options;
    return {
      timeUnixNs,
      severityNumber: SEVERITY_INFO,
      severityText: "INFO",
      body: `record ${number} took ${random.between(1, 900)} ms`,
      attributes: new Map<string, string | bigint>([
        ["record.number", BigInt(number)],
        ["filler", random.hex(fillerChars)],
      ]),
      traceId: random.hex(32),
    };
  }

  #span(number: number, timeUnixNs: bigint): SpanToEncode {
    const { random, fillerChars } = this.#options;
    return {
      traceId: random.hex(32),
      spanId: random.hex(16),
      name: `record ${number} took ${random.between(1, 900)} ms`,
      kind: KIND_SERVER,
      startTimeUnixNs: timeUnixNs,
      endTimeUnixNs: timeUnixNs + 1_000_000n,
      attributes: new Map([["filler", random.hex(fillerChars)]]),
    };
  }
}
