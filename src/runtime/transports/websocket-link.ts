import {
  encodeFrame,
  encodeHello,
  FRAME,
  FRAME_HEAD_BYTES,
  FrameError,
  type Hello,
  numberOf,
  writeFrameHead,
} from "./frame.ts";
import type { Frame } from "./frame-reader.ts";
import type { FramedLink, LinkEvents } from "./framed-outbox.ts";
import { copyPayload, isPieces } from "./payload.ts";
import type { Payload } from "./transport.ts";
import { LINK_WINDOW_BYTES, PART_BYTES_MAX } from "./websocket-frames.ts";

/** What a link needs of the connection that it shares. */
export interface SharedConnection {
  readonly isFull: boolean;
  send(frame: Buffer): void;
  /** The link needs the connection no more. */
  detach(number: number): void;
}

/** A message that waits, or whose parts are being sent. */
interface Waiting {
  readonly header: Uint8Array;
  readonly payload: Payload;
  readonly payloadBytes: number;
  hasBegun: boolean;
  pieceIndex: number;
  pieceOffset: number;
}

/**
 * The sending end of a link on a connection of a pool. It never has more under way than the receiver has
 * promised to keep while it is paused.
 */
export class WebSocketLink implements FramedLink {
  readonly #connection: SharedConnection;
  readonly #number: number;
  readonly #events: LinkEvents;
  #waiting: Waiting[] = [];
  #underWayBytes = 0;
  #isEnding = false;
  #isClosed = false;

  constructor(connection: SharedConnection, number: number, events: LinkEvents) {
    this.#connection = connection;
    this.#number = number;
    this.#events = events;
  }

  get isFull(): boolean {
    return this.#waiting.length > 0 || !this.#hasRoom();
  }

  greet(hello: Hello): void {
    if (!this.#isClosed) this.#connection.send(encodeHello(hello, this.#number));
  }

  write(header: Uint8Array, payload: Payload, payloadBytes: number): void {
    const progress = { hasBegun: false, pieceIndex: 0, pieceOffset: 0 };
    this.#waiting.push({ header, payload, payloadBytes, ...progress });
    this.#sendWaiting();
  }

  end(): void {
    this.#isEnding = true;
    this.#sendWaiting();
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.#sendControl(FRAME.refused);
    this.close("the outbox was closed");
  }

  /** The link is over, for whatever reason. */
  close(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting = [];
    this.#connection.detach(this.#number);
    this.#events.onClosed(reason);
  }

  /** The connection was full and has room. */
  goOn(): void {
    this.#sendWaiting();
    if (!this.isFull) this.#events.onRoom();
  }

  /** Errors: `FrameError`. */
  take({ type, header, payload }: Frame): void {
    if (type === FRAME.taken) {
      this.#underWayBytes -= numberOf(payload, 1);
      this.#events.onTaken(numberOf(payload, 0));
      this.goOn();
    } else if (type === FRAME.welcome) {
      this.#events.onWelcome(header.toString("hex"), numberOf(payload, 0));
    } else if (type === FRAME.refused) {
      const reason = payload.toString();
      this.#events.onRefused(reason);
      this.close(reason);
    } else if (type === FRAME.close) {
      this.close("the link has ended");
    } else {
      throw new FrameError(`a frame of type ${type} is no answer`);
    }
  }

  refuse(reason: string): void {
    this.#events.onRefused(reason);
    this.close(reason);
  }

  #hasRoom(): boolean {
    return this.#underWayBytes < LINK_WINDOW_BYTES && !this.#connection.isFull;
  }

  #sendWaiting(): void {
    while (this.#waiting.length > 0 && this.#hasRoom()) {
      const [message] = this.#waiting;
      if (this.#sendNext(message)) this.#waiting.shift();
    }
    if (!this.#isEnding || this.#waiting.length > 0) return;
    this.#isEnding = false;
    this.#sendControl(FRAME.close);
  }

  /** Sends a small message, or the next part of a large one; whether it was the last. */
  #sendNext(message: Waiting): boolean {
    const { header, payload, payloadBytes } = message;
    const pieces = isPieces(payload) ? payload : [payload];
    if (payloadBytes <= PART_BYTES_MAX) {
      this.#underWayBytes += header.length + payloadBytes;
      const frame = this.#frame(FRAME.message, header.length, payloadBytes);
      frame.set(header, FRAME_HEAD_BYTES);
      copyPayload(frame, FRAME_HEAD_BYTES + header.length, payload);
      this.#connection.send(frame);
      return true;
    }
    if (!message.hasBegun) {
      message.hasBegun = true;
      const frame = this.#frame(FRAME.large, header.length, 4);
      frame.set(header, FRAME_HEAD_BYTES);
      frame.writeUInt32LE(payloadBytes, FRAME_HEAD_BYTES + header.length);
      this.#connection.send(frame);
    }
    const piece = pieces[message.pieceIndex];
    const start = message.pieceOffset;
    const part = piece.subarray(start, start + PART_BYTES_MAX);
    const frame = this.#frame(FRAME.part, 0, part.length);
    frame.set(part, FRAME_HEAD_BYTES);
    this.#underWayBytes += part.length;
    this.#connection.send(frame);
    message.pieceOffset += part.length;
    while (pieces[message.pieceIndex]?.length === message.pieceOffset) {
      message.pieceIndex++;
      message.pieceOffset = 0;
    }
    return message.pieceIndex === pieces.length;
  }

  #frame(type: number, headerBytes: number, payloadBytes: number): Buffer {
    const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + headerBytes + payloadBytes);
    writeFrameHead(frame, 0, { type, headerBytes, payloadBytes, link: this.#number });
    return frame;
  }

  #sendControl(type: number): void {
    this.#connection.send(encodeFrame(type, undefined, undefined, this.#number));
  }
}
