import type { FramedInboxLink } from "./inbox-link.ts";
import { encodeFrame, encodeNumbers, FRAME, FrameError, numberOf } from "./frame.ts";
import type { Frame } from "./frame-reader.ts";
import { RingReader } from "./shared-ring.ts";
import { HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX } from "./transport.ts";

/** The sender is told what was taken after so many messages, or bytes of parts. */
const TAKEN_MESSAGES_MAX = 256;
const TAKEN_BYTES_MAX = 1024 * 1024;

const RING_NAME_BYTES_MAX = 64;

interface LargeMessage {
  readonly header: Buffer;
  readonly payload: Buffer;
  filledBytes: number;
}

/** What comes by one connection for one link, after its hello: puts messages together and hands them over. */
export class LinkIntake {
  readonly #link: FramedInboxLink;
  readonly #reply: (frame: Buffer) => void;
  readonly #ringFolder: string | undefined;
  /** On connections with many links, each frame back names its link. */
  readonly #number: number;
  /** Where connections carry many links: bytes that the sender may have under way. */
  readonly #windowBytes: number | undefined;
  #large: LargeMessage | undefined;
  #ring: RingReader | undefined;
  #untoldMessages = 0;
  #untoldBytes = 0;
  #hasEnded = false;

  constructor(
    link: FramedInboxLink,
    options: {
      readonly reply: (frame: Buffer) => void;
      readonly ringFolder?: string | undefined;
      readonly number?: number;
      readonly windowBytes?: number;
    },
  ) {
    this.#link = link;
    this.#reply = options.reply;
    this.#ringFolder = options.ringFolder;
    this.#number = options.number ?? 0;
    this.#windowBytes = options.windowBytes;
  }

  /** Whether the sender has said that nothing follows. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  welcome(): void {
    const taken = Buffer.alloc(4);
    taken.writeUInt32LE(this.#link.stats.receivedMessages >>> 0);
    this.#reply(encodeFrame(FRAME.welcome, this.#link.acceptance, taken, this.#number));
  }

  /** Errors: `FrameError` for a frame that is not in its place or larger than it may be. */
  check(type: number, headerBytes: number, payloadBytes: number): void {
    if (!this.#mayCome(type, headerBytes, payloadBytes)) {
      throw new FrameError(
        `a frame of type ${type} with ${headerBytes} and ${payloadBytes} bytes is not in its place`,
      );
    }
  }

  /** Memory for a payload that comes in pieces: a part's lies in the large message already. */
  allocate(type: number, bytes: number): Buffer {
    const large = this.#large;
    if (type !== FRAME.part || large === undefined) return this.#link.pool.allocate(bytes);
    return large.payload.subarray(large.filledBytes, large.filledBytes + bytes);
  }

  /** Errors: `FrameError`. */
  take(frame: Frame): void {
    switch (frame.type) {
      case FRAME.message:
        if (this.#windowBytes !== undefined) {
          this.#untoldBytes += frame.header.length + frame.payload.length;
        }
        this.#deliver(frame.header, frame.payload);
        return;
      case FRAME.large: {
        const bytes = numberOf(frame.payload, 0);
        if (bytes > PAYLOAD_BYTES_MAX) throw new FrameError(`a payload of ${bytes} bytes`);
        // The header is a view of a chunk, and would keep all of it.
        const header = Buffer.from(frame.header);
        this.#large = { header, payload: this.#link.pool.allocate(bytes), filledBytes: 0 };
        this.#finishLarge(this.#large);
        return;
      }
      case FRAME.part:
      case FRAME.ringPart:
        this.#takePart(frame);
        return;
      case FRAME.ring:
        this.#openRing(frame.header.toString("latin1"), numberOf(frame.payload, 0));
        return;
      default:
        this.#hasEnded = true;
        this.#tellTaken();
        this.#link.end();
    }
  }

  close(): void {
    this.#ring?.close();
    this.#ring = undefined;
    this.#large = undefined;
  }

  #mayCome(type: number, headerBytes: number, payloadBytes: number): boolean {
    const large = this.#large;
    if (this.#hasEnded) return false;
    if (large !== undefined) {
      const missing = large.payload.length - large.filledBytes;
      if (headerBytes !== 0) return false;
      return type === FRAME.part
        ? payloadBytes <= missing
        : type === FRAME.ringPart && payloadBytes === 8;
    }
    switch (type) {
      case FRAME.message:
        return headerBytes <= HEADER_BYTES_MAX && payloadBytes <= PAYLOAD_BYTES_MAX;
      case FRAME.large:
        return headerBytes <= HEADER_BYTES_MAX && payloadBytes === 4;
      case FRAME.ring:
        return headerBytes <= RING_NAME_BYTES_MAX && payloadBytes === 4;
      default:
        return type === FRAME.close && headerBytes === 0 && payloadBytes === 0;
    }
  }

  #takePart({ type, payload }: Frame): void {
    const large = this.#large;
    if (large === undefined) throw new FrameError("a part without its message");
    let bytes = payload.length;
    if (type === FRAME.ringPart) {
      bytes = numberOf(payload, 1);
      const isInPlace = bytes <= large.payload.length - large.filledBytes;
      if (!isInPlace || this.#ring === undefined) throw new FrameError("a part in no ring");
      this.#ring.read(large.payload, large.filledBytes, { offset: numberOf(payload, 0), bytes });
    } else if (payload.buffer !== large.payload.buffer) {
      payload.copy(large.payload, large.filledBytes);
    }
    large.filledBytes += bytes;
    this.#untoldBytes += bytes;
    this.#finishLarge(large);
  }

  #finishLarge(large: LargeMessage): void {
    if (large.filledBytes < large.payload.length) {
      const dueBytes = (this.#windowBytes ?? 4 * TAKEN_BYTES_MAX) / 4;
      if (this.#untoldBytes >= dueBytes) this.#tellTaken();
      return;
    }
    this.#large = undefined;
    this.#deliver(large.header, large.payload);
  }

  #deliver(header: Buffer, payload: Buffer): void {
    this.#link.deliver(header, payload);
    this.#untoldMessages++;
    // A small count costs the sender nothing; bytes of parts are room that it may wait for.
    const isDue =
      this.#windowBytes === undefined
        ? this.#untoldBytes > 0
        : this.#untoldBytes >= this.#windowBytes / 4;
    if (isDue || this.#untoldMessages >= TAKEN_MESSAGES_MAX) this.#tellTaken();
  }

  #tellTaken(): void {
    if (this.#untoldMessages === 0 && this.#untoldBytes === 0) return;
    const taken = [this.#untoldMessages, this.#untoldBytes];
    this.#untoldMessages = 0;
    this.#untoldBytes = 0;
    this.#reply(encodeNumbers(FRAME.taken, taken, this.#number));
  }

  /** A ring that cannot be opened, in another container for one, is not answered: the sender does without. */
  #openRing(name: string, sizeBytes: number): void {
    if (this.#ringFolder === undefined || this.#ring !== undefined) return;
    try {
      this.#ring = new RingReader(this.#ringFolder, name, sizeBytes);
    } catch (error) {
      if (error instanceof FrameError) throw error;
      return;
    }
    this.#reply(encodeFrame(FRAME.ringReady));
  }
}
