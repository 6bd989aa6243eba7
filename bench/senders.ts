/** Sends OTLP log requests as fast as they are acknowledged, over either protocol. */
import { Agent, request as httpRequest } from "node:http";
import { Client, credentials } from "@grpc/grpc-js";

/** Takes a request and resolves once it is acknowledged. Errors: any answer but success. */
export interface Sender {
  send(body: Uint8Array): Promise<void>;
  close(): void;
}

const GRPC_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

export class HttpSender implements Sender {
  readonly #url: URL;
  readonly #agent: Agent;

  constructor(endpoint: string, connectionCount: number) {
    this.#url = new URL("/v1/logs", endpoint);
    this.#agent = new Agent({ keepAlive: true, maxSockets: connectionCount });
  }

  send(body: Uint8Array): Promise<void> {
    const headers = { "content-type": "application/x-protobuf", "content-length": body.length };
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        this.#url,
        { method: "POST", agent: this.#agent, headers },
        (response) => {
          response.resume();
          response.once("error", reject);
          response.once("end", () => {
            if (response.statusCode === 200) resolve();
            else reject(new Error(`the service answered ${response.statusCode}`));
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

  send(body: Uint8Array): Promise<void> {
    const client = this.#clients[this.#next++ % this.#clients.length];
    if (client === undefined) throw new Error("a sender needs a connection");
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        GRPC_METHOD,
        (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
        (bytes: Buffer) => bytes,
        body,
        (error) => (error === null ? resolve() : reject(error)),
      );
    });
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

/** Keeps `inFlight` requests under way until none are left; returns how many were sent. */
export async function sendAll(
  requests: AsyncIterator<Uint8Array, void>,
  sender: Sender,
  inFlight: number,
): Promise<number> {
  let count = 0;
  const lane = async (): Promise<void> => {
    for (let next = await requests.next(); next.done !== true; next = await requests.next()) {
      await sender.send(next.value);
      count++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return count;
}
