/** The frames that nodes exchange over a socket, TCP and WebSocket, in any language. */

/**
 *     offset  size  field
 *     0       1     type, one of FRAME
 *     1       3     zero
 *     4       4     header bytes, u32
 *     8       4     payload bytes, u32
 *     12      4     link number, u32: zero where a connection carries one link
 *     16            the header, then the payload
 *
 * All numbers are little-endian. docs/transports.md says who sends what when.
 */
export const FRAME_HEAD_BYTES = 16;

export const FRAME = {
  /** Sender: header = "DORA", u16 version, u16 zero, topic; payload = token. */
  hello: 1,
  /** Inbox: header = 16 bytes, new for each acceptance of the link; payload = u32 messages taken. */
  welcome: 2,
  /** Inbox: payload = why not, as text. The link ends; over WebSocket, either side may say it. */
  refused: 3,
  /** Sender: a whole message. */
  message: 4,
  /** Sender: header = the message's; payload = u32 payload bytes, which follow in parts. */
  large: 5,
  /** Sender: payload = the next bytes of the large message. */
  part: 6,
  /** Sender: payload = u32 offset, u32 bytes: the next bytes lie there in the ring. */
  ringPart: 7,
  /** Inbox: payload = u32 messages, u32 bytes, taken since the last such frame: bytes of parts; over
   * WebSocket, of all headers and payloads too. */
  taken: 8,
  /** Sender: nothing follows on this link. Over WebSocket the inbox answers with the same frame. */
  close: 9,
  /** Sender: header = a file's name in the folder for rings; payload = u32 its bytes. */
  ring: 10,
  /** Inbox: the ring is open and may be used. */
  ringReady: 11,
} as const;

const FRAME_TYPE_MAX = 11;

const HELLO_MAGIC = "DORA";
const PROTOCOL_VERSION = 1;
const HELLO_TOPIC_OFFSET = 8;

export const TOPIC_BYTES_MAX = 1024;
export const TOKEN_BYTES_MAX = 4096;

export interface FrameHead {
  readonly type: number;
  readonly headerBytes: number;
  readonly payloadBytes: number;
  readonly link?: number;
}

export interface Hello {
  readonly topic: string;
  readonly token: string;
}

/** The other end sent what no node sends; its connection is closed and nothing else happens. */
export class FrameError extends Error {
  override name = "FrameError";
}

/** Writes a frame's first 16 bytes. */
export function writeFrameHead(target: Buffer, offset: number, head: FrameHead): void {
  target.writeUInt32LE(head.type, offset);
  target.writeUInt32LE(head.headerBytes, offset + 4);
  target.writeUInt32LE(head.payloadBytes, offset + 8);
  target.writeUInt32LE(head.link ?? 0, offset + 12);
}

/** A frame that is no message, whole. */
export function encodeFrame(
  type: number,
  header: Uint8Array = EMPTY,
  payload: Uint8Array = EMPTY,
  link = 0,
): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + header.length + payload.length);
  const [headerBytes, payloadBytes] = [header.length, payload.length];
  writeFrameHead(frame, 0, { type, headerBytes, payloadBytes, link });
  frame.set(header, FRAME_HEAD_BYTES);
  frame.set(payload, FRAME_HEAD_BYTES + headerBytes);
  return frame;
}

/** A frame whose payload is up to three numbers. */
export function encodeNumbers(type: number, numbers: readonly number[], link = 0): Buffer {
  const payload = Buffer.allocUnsafe(4 * numbers.length);
  numbers.forEach((number, index) => payload.writeUInt32LE(number, 4 * index));
  return encodeFrame(type, EMPTY, payload, link);
}

export function encodeHello(hello: Hello, link = 0): Buffer {
  const topic = Buffer.from(hello.topic);
  const header = Buffer.alloc(HELLO_TOPIC_OFFSET + topic.length);
  header.write(HELLO_MAGIC, "latin1");
  header.writeUInt16LE(PROTOCOL_VERSION, 4);
  header.set(topic, HELLO_TOPIC_OFFSET);
  return encodeFrame(FRAME.hello, header, Buffer.from(hello.token), link);
}

/** Errors: `FrameError`. */
export function decodeHello(header: Buffer, payload: Buffer): Hello {
  if (header.length < HELLO_TOPIC_OFFSET || header.toString("latin1", 0, 4) !== HELLO_MAGIC) {
    throw new FrameError("this is no node of a dataflow");
  }
  const version = header.readUInt16LE(4);
  if (version !== PROTOCOL_VERSION) {
    throw new FrameError(`protocol version ${version}; spoken here is ${PROTOCOL_VERSION}`);
  }
  return { topic: header.toString("utf8", HELLO_TOPIC_OFFSET), token: payload.toString("utf8") };
}

/** The number at `index` of a payload that is numbers. Errors: `FrameError` where there is none. */
export function numberOf(payload: Buffer, index: number): number {
  if (payload.length < 4 * (index + 1)) throw new FrameError("a frame's numbers are cut off");
  return payload.readUInt32LE(4 * index);
}

/** Whether these 16 bytes can begin a frame. */
export function isFrameHead(bytes: Buffer, offset: number): boolean {
  const type = bytes.readUInt32LE(offset);
  return type >= 1 && type <= FRAME_TYPE_MAX;
}

const EMPTY = new Uint8Array(0);
