import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { AppError } from "../../core/errors.ts";
import { TASK_BYTES_MAX, TASK_HEAD_BYTES_MAX } from "./dataflow-messages.ts";
import { readAuthorization } from "./process-token.ts";
import type { StandIn } from "./stand-in.ts";
import type { StandIns } from "./stand-ins.ts";
import { failureOf, type StreamEnd, UpdateStream } from "./update-stream.ts";

/** A binary message: length of the JSON (u32 LE), JSON, payload. */
const PREFIX_BYTES = 4;
const SENT_BYTES_MAX = 4 * 1024 * 1024;
const HEADERS_TIMEOUT_MS = 10_000;

/** Source: RFC 6455, 7.4.1 */
const CLOSE_CODES = { finished: 1000, aborted: 4001, invalid: 4000 } as const;
/** Of the reason in a close frame. */
const REASON_BYTES_MAX = 120;

/**
 * `StreamUpdates` over WebSocket: the same messages in protobuf's JSON form as text; one with a payload is binary.
 * Connections are such as somebody else has accepted.
 */
export class WebSocketService {
  readonly #http: Server;
  readonly #standIns: StandIns;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: TASK_BYTES_MAX + TASK_HEAD_BYTES_MAX,
    perMessageDeflate: false,
  });

  constructor(standIns: StandIns) {
    this.#standIns = standIns;
    this.#http = createServer((_request, response) => {
      response.writeHead(426, { connection: "close", upgrade: "websocket" }).end();
    });
    this.#http.headersTimeout = HEADERS_TIMEOUT_MS;
    this.#http.on("upgrade", (request, socket, head) => void this.#upgrade(request, socket, head));
  }

  take(socket: Socket): void {
    this.#http.emit("connection", socket);
    socket.resume();
  }

  close(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.closeAllConnections();
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on("error", () => {});
    try {
      const identity = readAuthorization(request.headers.authorization);
      if (identity === undefined) {
        throw new AppError("NODE_REFUSED", "show `authorization: Bearer $DORA_GATEWAY_TOKEN`");
      }
      const standIn = await this.#standIns.find(identity);
      this.#sockets.handleUpgrade(request, socket, head, (opened) => serve(opened, standIn));
    } catch (error) {
      refuse(socket, error);
    }
  }
}

function refuse(socket: Duplex, error: unknown): void {
  const failure = failureOf(error);
  const body = JSON.stringify({ error: failure });
  const status = failure.code === "NODE_REFUSED" ? "401 Unauthorized" : "409 Conflict";
  const head = [
    `HTTP/1.1 ${status}`,
    "connection: close",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function serve(socket: WebSocket, standIn: StandIn): void {
  const stream = new UpdateStream(standIn, {
    write: (update, payload) => write(socket, update, payload),
    end: (end) => close(socket, end),
  });
  // Requests are done one after the other; while one is, no more of the connection is read.
  let done = Promise.resolve();
  let waiting = 0;
  socket.on("message", (data, isBinary) => {
    waiting++;
    socket.pause();
    done = done.then(async () => {
      const request = read(data, isBinary);
      if (request.status === "ok") await stream.take(request.value);
      else close(socket, { status: "invalid", reason: request.reason });
      waiting--;
      if (waiting === 0) socket.resume();
    });
  });
  socket.on("error", () => {});
  socket.once("close", () => stream.lose());
}

async function write(socket: WebSocket, update: object, payload?: Uint8Array): Promise<void> {
  if (socket.readyState !== socket.OPEN) return;
  const written = new Promise<void>((resolve) => {
    socket.send(encode(update, payload), () => resolve());
  });
  if (socket.bufferedAmount > SENT_BYTES_MAX) await written;
}

function encode(update: object, payload: Uint8Array | undefined): string | Buffer {
  const json = JSON.stringify(update);
  if (payload === undefined || payload.length === 0) return json;
  const bytes = Buffer.byteLength(json);
  const message = Buffer.allocUnsafe(PREFIX_BYTES + bytes + payload.length);
  message.writeUInt32LE(bytes);
  message.write(json, PREFIX_BYTES);
  message.set(payload, PREFIX_BYTES + bytes);
  return message;
}

type Read =
  | { readonly status: "ok"; readonly value: unknown }
  | { readonly status: "invalid"; readonly reason: string };

/** A request; its payload is put into its task. */
function read(data: RawData, isBinary: boolean): Read {
  if (!Buffer.isBuffer(data)) return { status: "invalid", reason: "the message is in pieces" };
  try {
    if (!isBinary) return { status: "ok", value: JSON.parse(data.toString()) };
    const end = PREFIX_BYTES + data.readUInt32LE();
    if (end > data.length) return { status: "invalid", reason: "the message is cut off" };
    const request: unknown = JSON.parse(data.toString("utf8", PREFIX_BYTES, end));
    return { status: "ok", value: withPayload(request, data.subarray(end)) };
  } catch {
    return { status: "invalid", reason: "the message is no JSON" };
  }
}

function withPayload(request: unknown, payload: Uint8Array): unknown {
  if (typeof request !== "object" || request === null || !("task" in request)) return request;
  const { task } = request;
  return typeof task === "object" ? { ...request, task: { ...task, payload } } : request;
}

function close(socket: WebSocket, end: StreamEnd): void {
  const reason = end.status === "finished" ? "" : end.reason;
  const cut = Buffer.from(reason)
    .subarray(0, REASON_BYTES_MAX)
    .toString()
    .replace(/\uFFFD$/, "");
  socket.close(CLOSE_CODES[end.status], cut);
}
