import type { Socket } from "node:net";
import {
  encodeFrame,
  encodeHello,
  encodeNumbers,
  FRAME,
  FRAME_HEAD_BYTES,
  FrameError,
  type Hello,
  numberOf,
  writeFrameHead,
} from "./frame.ts";
import { type Frame, FrameReader } from "./frame-reader.ts";
import { RING_BYTES, RingWriter } from "./shared-ring.ts";
import type { FramedLink, LinkEvents } from "./framed-outbox.ts";
import { copyPayload, isPieces } from "./payload.ts";
import type { Payload } from "./transport.ts";

/** Messages up to this size are copied one behind the other and written together. */
const GATHER_BYTES_MAX = 8 * 1024;
const GATHER_BUFFER_BYTES = 64 * 1024;

/** From this size a payload goes by the ring: measured, see docs/transports.md. */
const RING_PAYLOAD_BYTES_MIN = 128 * 1024;

/** The inbox sends small frames only. */
const REPLY_BYTES_MAX = 4096;

/** A message whose payload is being written into the ring. */
interface RingMessage {
  readonly pieces: readonly Uint8Array[];
  index: number;
  offset: number;
}

/** The sending end of a link that has a byte stream of its own, for as long as its connection lasts. */
export class StreamLink implements FramedLink {
  readonly #socket: Socket;
  readonly #events: LinkEvents;
  readonly #reader: FrameReader;
  readonly #ringFolder: string | undefined;
  #ring: RingWriter | undefined;
  #isRingReady = false;
  #ringMessage: RingMessage | undefined;
  #gather = EMPTY;
  #gatherStart = 0;
  #gatherEnd = 0;
  #isFlushDue = false;
  #isEnding = false;
  #reason = "the connection was closed";

  constructor(
    socket: Socket,
    options: { readonly hello: Hello; readonly ringFolder?: string | undefined },
    events: LinkEvents,
  ) {
    this.#socket = socket;
    this.#events = events;
    this.#ringFolder = options.ringFolder;
    this.#reader = new FrameReader({
      check: (type, headerBytes, payloadBytes) => {
        if (headerBytes + payloadBytes <= REPLY_BYTES_MAX) return;
        throw new FrameError(`a frame of type ${type} is too large for an answer`);
      },
      allocate: (bytes) => Buffer.alloc(bytes),
      take: (frame) => this.#take(frame),
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 10_000);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("drain", () => events.onRoom());
    socket.on("error", (error) => (this.#reason = error.message));
    socket.once("close", () => {
      this.#closeRing();
      events.onClosed(this.#reason);
    });
    socket.write(encodeHello(options.hello));
  }

  get isFull(): boolean {
    return this.#ringMessage !== undefined || this.#socket.writableNeedDrain;
  }

  write(header: Uint8Array, payload: Payload, payloadBytes: number): void {
    if (payloadBytes >= RING_PAYLOAD_BYTES_MIN && this.#ringFolder !== undefined) {
      if (this.#isRingReady) {
        this.#beginRingMessage(header, payload, payloadBytes);
        return;
      }
      this.#offerRing(this.#ringFolder);
    }
    const bytes = FRAME_HEAD_BYTES + header.length + payloadBytes;
    const head = { type: FRAME.message, headerBytes: header.length, payloadBytes };
    if (bytes <= GATHER_BYTES_MAX) {
      if (this.#gatherEnd + bytes > this.#gather.length) this.#renewGather();
      const start = this.#gatherEnd;
      writeFrameHead(this.#gather, start, head);
      this.#gather.set(header, start + FRAME_HEAD_BYTES);
      copyPayload(this.#gather, start + FRAME_HEAD_BYTES + header.length, payload);
      this.#gatherEnd += bytes;
      this.#writeGathered();
      return;
    }
    this.#flush();
    const start = Buffer.allocUnsafe(FRAME_HEAD_BYTES + header.length);
    writeFrameHead(start, 0, head);
    start.set(header, FRAME_HEAD_BYTES);
    this.#socket.cork();
    this.#socket.write(start);
    if (isPieces(payload)) for (const piece of payload) this.#socket.write(piece);
    else this.#socket.write(payload);
    this.#socket.uncork();
  }

  end(): void {
    this.#isEnding = true;
    if (this.#ringMessage === undefined) this.#writeFrame(encodeFrame(FRAME.close));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    try {
      this.#reader.add(chunk);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#reason = error.message;
      this.#socket.destroy();
    }
  }

  #take({ type, header, payload }: Frame): boolean {
    if (type === FRAME.taken) {
      const bytes = numberOf(payload, 1);
      if (bytes > 0) this.#releaseRing(bytes);
      this.#events.onTaken(numberOf(payload, 0));
    } else if (type === FRAME.welcome) {
      this.#events.onWelcome(header.toString("hex"), numberOf(payload, 0));
    } else if (type === FRAME.ringReady) {
      this.#isRingReady = true;
    } else if (type === FRAME.refused) {
      this.#reason = payload.toString();
      this.#events.onRefused(this.#reason);
    } else {
      throw new FrameError(`a frame of type ${type} is no answer`);
    }
    return true;
  }

  #writeFrame(frame: Buffer): void {
    this.#flush();
    this.#socket.write(frame);
  }

  /** The first message goes at once, since it may be the only one; those that follow it in the same turn, in one write. */
  #writeGathered(): void {
    if (this.#isFlushDue) return;
    this.#flush();
    this.#isFlushDue = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushDue = false;
    if (this.#gatherStart === this.#gatherEnd) return;
    const bytes = this.#gather.subarray(this.#gatherStart, this.#gatherEnd);
    // What was given to the socket is not touched again: the next messages go behind it.
    this.#gatherStart = this.#gatherEnd;
    this.#socket.write(bytes);
  }

  #renewGather(): void {
    this.#flush();
    this.#gather = Buffer.allocUnsafeSlow(GATHER_BUFFER_BYTES);
    this.#gatherStart = 0;
    this.#gatherEnd = 0;
  }

  #offerRing(folder: string): void {
    if (this.#ring !== undefined) return;
    try {
      this.#ring = new RingWriter(folder);
    } catch {
      // The folder is gone or full: large messages go through the socket, which always works.
      return;
    }
    const size = Buffer.alloc(4);
    size.writeUInt32LE(RING_BYTES);
    this.#writeFrame(encodeFrame(FRAME.ring, Buffer.from(this.#ring.name), size));
  }

  #beginRingMessage(header: Uint8Array, payload: Payload, payloadBytes: number): void {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(payloadBytes);
    this.#writeFrame(encodeFrame(FRAME.large, header, size));
    const pieces = isPieces(payload) ? payload : [payload];
    this.#ringMessage = { pieces, index: 0, offset: 0 };
    this.#goOnRingMessage();
  }

  /** Writes what the ring has room for; whether that was the rest. */
  #goOnRingMessage(): boolean {
    const message = this.#ringMessage;
    if (message === undefined) return true;
    for (; message.index < message.pieces.length; message.index++) {
      const piece = message.pieces[message.index];
      while (message.offset < piece.length) {
        const bytes = this.#writePart(piece, message.offset);
        if (bytes === 0) return false;
        message.offset += bytes;
      }
      message.offset = 0;
    }
    this.#ringMessage = undefined;
    return true;
  }

  #writePart(piece: Uint8Array, offset: number): number {
    const ring = this.#ring;
    if (ring === undefined) return 0;
    try {
      const bytes = ring.write(piece, offset);
      if (bytes > 0) this.#socket.write(encodeNumbers(FRAME.ringPart, [ring.writtenOffset, bytes]));
      return bytes;
    } catch {
      // Memory is out: the rest goes through the socket, and the ring is not used again.
      this.#isRingReady = false;
      const rest = piece.subarray(offset);
      this.#socket.write(encodePartHead(rest.length));
      this.#socket.write(rest);
      return rest.length;
    }
  }

  #releaseRing(bytes: number): void {
    this.#ring?.release(bytes);
    if (this.#ringMessage === undefined || !this.#goOnRingMessage()) return;
    if (this.#isEnding) this.end();
    else this.#events.onRoom();
  }

  #closeRing(): void {
    this.#ring?.close();
    this.#ring = undefined;
    this.#isRingReady = false;
  }
}

function encodePartHead(payloadBytes: number): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  writeFrameHead(head, 0, { type: FRAME.part, headerBytes: 0, payloadBytes });
  return head;
}

const EMPTY: Buffer = Buffer.alloc(0);
