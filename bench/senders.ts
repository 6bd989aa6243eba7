/** Sends OTLP requests as fast as they are acknowledged, over either protocol. */
import { Agent, request as httpRequest } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { Client, credentials, status } from "@grpc/grpc-js";
import type { Signal } from "../src/core/record.ts";

export type SendOutcome =
  | { readonly status: "acknowledged" }
  /** The service is too busy now; the same bytes may be sent again. */
  | { readonly status: "refused"; readonly message: string };

/** Takes a request and resolves with what became of it. Errors: an answer that is final. */
export interface Sender {
  send(body: Uint8Array): Promise<SendOutcome>;
  close(): void;
}

const RETRYABLE_HTTP = new Set([429, 502, 503, 504]);
const BACKOFF_MS = 50;
const GRPC_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

export class HttpSender implements Sender {
  readonly #url: URL;
  readonly #agent: Agent;

  constructor(endpoint: string, connectionCount: number, signal: Signal = "logs") {
    this.#url = new URL(`/v1/${signal}`, endpoint);
    this.#agent = new Agent({ keepAlive: true, maxSockets: connectionCount });
  }

  send(body: Uint8Array): Promise<SendOutcome> {
    const headers = { "content-type": "application/x-protobuf", "content-length": body.length };
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        this.#url,
        { method: "POST", agent: this.#agent, headers },
        (response) => {
          let text = "";
          response.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
          response.once("error", reject);
          response.once("end", () => {
            const { statusCode = 0 } = response;
            // A Status in protobuf: its message is the text between the bytes.
            const message = `${statusCode} ${text.replaceAll(/[^ -~]+/g, " ")}`;
            if (statusCode === 200) resolve({ status: "acknowledged" });
            else if (RETRYABLE_HTTP.has(statusCode)) resolve({ status: "refused", message });
            else reject(new Error(`the service answered ${message}`));
          });
        },
      );
      request.once("error", reject);
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

export class GrpcSender implements Sender {
  readonly #clients: readonly Client[];
  #next = 0;

  constructor(endpoint: string, connectionCount: number) {
    this.#clients = Array.from(
      { length: connectionCount },
      () =>
        new Client(endpoint, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 }),
    );
  }

  send(body: Uint8Array): Promise<SendOutcome> {
    const client = this.#clients[this.#next++ % this.#clients.length];
    if (client === undefined) throw new Error("a sender needs a connection");
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        GRPC_METHOD,
        (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
        (bytes: Buffer) => bytes,
        body,
        (error) => {
          if (error === null) resolve({ status: "acknowledged" });
          else if (error.code === status.UNAVAILABLE) {
            resolve({ status: "refused", message: error.details });
          } else reject(error);
        },
      );
    });
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

export interface Sent {
  readonly requestCount: number;
  /** How often the service refused for now, by what it said. */
  readonly refusals: ReadonlyMap<string, number>;
}

/** Keeps `inFlight` requests under way until all are acknowledged, sending again what was refused. */
export async function sendAll(
  requests: AsyncIterator<Uint8Array, void>,
  sender: Sender,
  inFlight: number,
): Promise<Sent> {
  let requestCount = 0;
  const refusals = new Map<string, number>();
  const lane = async (): Promise<void> => {
    for (let next = await requests.next(); next.done !== true; next = await requests.next()) {
      for (
        let outcome = await sender.send(next.value);
        outcome.status === "refused";
        outcome = await sender.send(next.value)
      ) {
        refusals.set(outcome.message, (refusals.get(outcome.message) ?? 0) + 1);
        await delay(BACKOFF_MS);
      }
      requestCount++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { requestCount, refusals };
}
