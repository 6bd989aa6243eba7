import http from "node:http";
import net from "node:net";
import type { ReceiverAddress } from "../../src/collector/otlp-receiver.ts";

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  /** A list is sent chunked, anything else with its length. */
  readonly body?: Uint8Array | string | readonly Uint8Array[];
  readonly agent?: http.Agent;
}

export const PROTOBUF = { "content-type": "application/x-protobuf" } as const;
export const JSON_TYPE = { "content-type": "application/json" } as const;

/** Sends one request and gives its answer, also where it comes before the body is sent. */
export function send(address: ReceiverAddress, call: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      ...address,
      method: call.method ?? "POST",
      path: call.path ?? "/v1/logs",
      headers: call.headers ?? {},
      agent: call.agent ?? false,
    });
    let isAnswered = false;
    request.on("response", (response) => {
      isAnswered = true;
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, body: Buffer.concat(chunks) });
      });
      response.on("error", reject);
    });
    request.on("error", (error) => {
      if (!isAnswered) reject(error);
    });
    const { body } = call;
    if (typeof body === "string" || body instanceof Uint8Array) {
      request.end(body);
      return;
    }
    for (const chunk of body ?? []) request.write(chunk);
    request.end();
  });
}

/** Writes bytes to a socket, nothing more, and gives all that comes until the server closes it. */
export function sendRaw(address: ReceiverAddress, bytes: Uint8Array | string): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(address.port, address.host, () => socket.write(bytes));
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
}
