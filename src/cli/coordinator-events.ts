import { WebSocket } from "ws";
import type { AppError } from "../core/errors.ts";
import type { StreamFrame } from "../runtime/coordinator/answer-schema.ts";
import { StreamFrameSchema } from "../runtime/coordinator/answer-schema.ts";
import { EVENTS_PATH } from "../runtime/coordinator/limits.ts";
import { camelKeys } from "../runtime/coordinator/letter-case.ts";
import type { CoordinatorClient } from "./coordinator-client.ts";

/** A frame has the status of all that runs. */
const FRAME_BYTES_MAX = 64 * 1024 * 1024;
/** Frames that nobody has taken; a command that takes none for so long has a fault. */
const FRAMES_HELD_MAX = 100_000;

/**
 * What a coordinator pushes, from the time that `open` resolves: nothing after it is missed.
 *
 * Concurrency: one reader.
 */
export class CoordinatorEvents {
  readonly #client: CoordinatorClient;
  readonly #socket: WebSocket;
  readonly #frames: StreamFrame[] = [];
  readonly #opened = Promise.withResolvers<void>();
  #failure: Error | undefined;
  #isClosed = false;
  #wake = (): void => {};

  private constructor(client: CoordinatorClient) {
    this.#client = client;
    const url = client.route(EVENTS_PATH);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const { token } = client;
    this.#socket = new WebSocket(url, {
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
      followRedirects: false,
      maxPayload: FRAME_BYTES_MAX,
      perMessageDeflate: false,
    });
    this.#socket.on("message", (data: Buffer) => this.#onMessage(data));
    this.#socket.on("error", (error) => (this.#failure ??= error));
    this.#socket.once("close", () => this.#onClose());
  }

  /** Errors: `COORDINATOR_UNREACHABLE` */
  static async open(client: CoordinatorClient): Promise<CoordinatorEvents> {
    const events = new CoordinatorEvents(client);
    await events.#opened.promise;
    return events;
  }

  /** Ends when it is aborted. Errors: `COORDINATOR_UNREACHABLE` where the connection breaks. */
  async *frames(signal: AbortSignal): AsyncGenerator<StreamFrame, void> {
    const onAbort = (): void => this.#wake();
    signal.addEventListener("abort", onAbort);
    try {
      while (!signal.aborted) {
        const frame = this.#frames.shift();
        if (frame !== undefined) yield frame;
        else if (this.#isClosed) throw this.#lost();
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  close(): void {
    this.#socket.terminate();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #onMessage(data: Buffer): void {
    const frame = readFrame(data);
    if (frame === undefined) return;
    if (frame.type === "welcome") this.#opened.resolve();
    this.#frames.push(frame);
    if (this.#frames.length > FRAMES_HELD_MAX) this.#socket.terminate();
    this.#wake();
  }

  #onClose(): void {
    this.#isClosed = true;
    this.#opened.reject(this.#lost());
    this.#wake();
  }

  #lost(): AppError {
    return this.#client.unreachable(this.#failure ?? new Error("it closed the connection"));
  }
}

/** What makes no sense, or is of a type that this version does not know, is passed over. */
function readFrame(data: Buffer): StreamFrame | undefined {
  try {
    return StreamFrameSchema.parse(camelKeys(JSON.parse(data.toString("utf8"))));
  } catch {
    return undefined;
  }
}
