/** How the nodes of the demo talk: HTTP, with the W3C trace context in the headers. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import type { Context } from "@opentelemetry/api";
import { context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";

/** One picture on its way through the three nodes. */
export interface FrameMessage {
  readonly frame: number;
  /** Objects found in it; undefined before the detector. */
  readonly objectCount?: number;
}

export interface NodeServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Takes messages; `handle` runs with the sender's trace context and gives the answer. */
export async function listen(
  handle: (message: FrameMessage, sender: Context) => Promise<object>,
): Promise<NodeServer> {
  const server = createServer((request, response) => {
    const answer = async (): Promise<object> => {
      let body = "";
      for await (const chunk of request.setEncoding("utf8")) body += String(chunk);
      const sender = propagation.extract(ROOT_CONTEXT, request.headers);
      return handle(readMessage(JSON.parse(body)), sender);
    };
    answer().then(
      (result) => response.end(JSON.stringify(result)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === "string") throw new Error("no address");
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** Sends a message within the active span and gives the answer. */
export async function send(url: string, message: FrameMessage): Promise<unknown> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  propagation.inject(context.active(), headers);
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(message) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.json();
}

function readMessage(value: unknown): FrameMessage {
  if (typeof value !== "object" || value === null || !("frame" in value)) {
    throw new Error("a message without a frame");
  }
  const objects = "objectCount" in value ? Number(value.objectCount) : undefined;
  const frame = Number(value.frame);
  return objects === undefined ? { frame } : { frame, objectCount: objects };
}

/** What the demo says: first where to send to, save to the planner; then "stop", save to the camera. */
export function readControl(): () => Promise<string> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  return async () => {
    const next = await lines.next();
    return next.done === true ? "" : next.value;
  };
}

/** Tells the demo something, as one line of JSON. */
export function report(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}
