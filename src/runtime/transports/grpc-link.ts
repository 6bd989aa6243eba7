import http2 from "node:http2";
import { errorMessage } from "../../core/errors.ts";
import { FrameError, type Hello } from "./frame.ts";
import type { FramedLink, LinkEvents } from "./framed-outbox.ts";
import { GrpcCutter } from "./grpc-cutter.ts";
import {
  decodeAnswer,
  encodeClose,
  encodeGreeting,
  encodeLarge,
  encodeMessageStart,
  encodePartStart,
  GRPC_PART_BYTES,
  LINKS_PATH,
} from "./grpc-messages.ts";
import { copyPayload, isPieces } from "./payload.ts";
import type { TlsSettings } from "./tcp.ts";
import type { Payload } from "./transport.ts";

/** Messages up to this size are copied behind their start, and written as one. */
const GATHER_BYTES_MAX = 8 * 1024;

/** The inbox sends small messages only. */
const ANSWER_BYTES_MAX = 4096;

const STATUS_OK = "0";
const STATUS_UNAUTHENTICATED = "16";

/** The sending end of a link: one call, on a connection of its own. */
export class GrpcLink implements FramedLink {
  readonly #session: http2.ClientHttp2Session;
  readonly #stream: http2.ClientHttp2Stream;
  readonly #events: LinkEvents;
  #isCorked = false;
  #reason = "the connection was closed";

  constructor(
    options: { readonly authority: string; readonly hello: Hello; readonly tls: TlsSettings },
    events: LinkEvents,
  ) {
    this.#events = events;
    const session = http2.connect(options.authority, options.tls);
    this.#session = session;
    session.on("error", (error) => (this.#reason = errorMessage(error)));
    this.#stream = session.request({
      ":method": "POST",
      ":path": LINKS_PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const stream = this.#stream;
    const cutter = new GrpcCutter((message) => this.#take(message), ANSWER_BYTES_MAX);
    stream.on("data", (chunk: Buffer) => {
      try {
        cutter.add(chunk);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        this.#reason = error.message;
        stream.destroy();
      }
    });
    stream.on("response", (headers) => this.#readStatus(headers));
    stream.on("trailers", (trailers: http2.IncomingHttpHeaders) => this.#readStatus(trailers));
    stream.on("drain", () => events.onRoom());
    stream.on("error", (error) => (this.#reason = errorMessage(error)));
    stream.once("close", () => {
      session.destroy();
      events.onClosed(this.#reason);
    });
    // A connection that cannot be made closes the session, and the stream with it.
    session.once("close", () => stream.destroy());
    stream.write(encodeGreeting(options.hello));
  }

  get isFull(): boolean {
    return this.#stream.writableNeedDrain;
  }

  write(header: Uint8Array, payload: Payload, payloadBytes: number): void {
    this.#cork();
    if (payloadBytes > GRPC_PART_BYTES) {
      this.#writeLarge(header, payload, payloadBytes);
      return;
    }
    const start = encodeMessageStart(header, payloadBytes);
    if (start.length + payloadBytes <= GATHER_BYTES_MAX) {
      const message = Buffer.allocUnsafe(start.length + payloadBytes);
      start.copy(message);
      copyPayload(message, start.length, payload);
      this.#stream.write(message);
      return;
    }
    this.#stream.write(start);
    for (const piece of isPieces(payload) ? payload : [payload]) this.#stream.write(piece);
  }

  end(): void {
    this.#stream.write(encodeClose());
  }

  destroy(): void {
    this.#stream.destroy();
    this.#session.destroy();
  }

  #writeLarge(header: Uint8Array, payload: Payload, payloadBytes: number): void {
    this.#stream.write(encodeLarge(header, payloadBytes));
    for (const piece of isPieces(payload) ? payload : [payload]) {
      for (let start = 0; start < piece.length; start += GRPC_PART_BYTES) {
        const part = piece.subarray(start, start + GRPC_PART_BYTES);
        this.#stream.write(encodePartStart(part.length));
        this.#stream.write(part);
      }
    }
  }

  #take(message: Buffer): void {
    const answer = decodeAnswer(message);
    if (answer.type === "taken") this.#events.onTaken(answer.messages);
    else this.#events.onWelcome(answer.acceptance, answer.takenMessages);
  }

  #readStatus(headers: http2.IncomingHttpHeaders): void {
    const status = headers["grpc-status"];
    if (status === undefined) {
      const httpStatus = Number(headers[":status"] ?? 200);
      if (httpStatus !== 200) this.#reason = `it answered ${httpStatus}`;
      return;
    }
    const text = headers["grpc-message"];
    const reason = typeof text === "string" ? decodeText(text) : `status ${String(status)}`;
    if (status !== STATUS_OK) this.#reason = reason;
    if (status === STATUS_UNAUTHENTICATED) this.#events.onRefused(reason);
    this.#stream.close(http2.constants.NGHTTP2_CANCEL);
  }

  /** All that is sent before the next turn of the event loop goes in one write. */
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#stream.cork();
    queueMicrotask(() => {
      this.#isCorked = false;
      this.#stream.uncork();
    });
  }
}

/** A message's percent encoding, or as it is where that makes no sense. */
function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
