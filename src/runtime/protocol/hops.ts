/**
 * What a node tells its daemon of every message it sent or handled: 88 bytes, from which the daemon
 * makes metrics of all and spans of those it keeps. Integers are little endian; times are Unix
 * nanoseconds.
 *
 *     offset size field
 *     0      1    kind: 1 sent, 2 handled
 *     1      1    flags: 1 failed (the send was refused, or the handler threw)
 *     2      2    index of the output (sent) or input (handled) in the node's configuration
 *     4      4    payload bytes
 *     8      16   trace id
 *     24     8    span id of this hop
 *     32     8    span id of its parent: what the node handled when it sent; the send, of a handled one
 *     40     8    start: of the send; of the handler
 *     48     8    end
 *     56     8    handled: when the message was sent by its sender's clock; sent: 0
 *     64     8    handled: when it was received; sent: 0
 *     72     2    sent: index of the link among the links of the output; 0xffff where one is not meant
 *     74     14   zero
 *
 * Handled: transport took `received - sent`, the queue `start - received`, the handler `end - start`.
 */
export const HOP_BYTES = 88;
export const HOP_SENT = 1;
export const HOP_HANDLED = 2;
export const HOP_FAILED = 1;
/** A send to all links of an output. */
export const ALL_LINKS = 0xffff;

export interface Hop {
  readonly kind: typeof HOP_SENT | typeof HOP_HANDLED;
  readonly isFailed: boolean;
  readonly port: number;
  readonly link: number;
  readonly payloadBytes: number;
  /** Lower-case hex. */
  readonly traceId: string;
  readonly spanId: string;
  /** "" where the hop begins a trace. */
  readonly parentSpanId: string;
  readonly startUnixNs: bigint;
  readonly endUnixNs: bigint;
  readonly sentUnixNs: bigint;
  readonly receivedUnixNs: bigint;
}

/** Collects hops until they are sent. At `HOPS_MAX` the oldest batch must be taken first. */
export const HOPS_MAX = 4096;

export class HopWriter {
  readonly #bytes: Buffer;
  #count = 0;
  /** Hops that were not recorded since the daemon did not take them in time. */
  dropped = 0;

  constructor(capacity: number = HOPS_MAX) {
    this.#bytes = Buffer.alloc(capacity * HOP_BYTES);
  }

  get count(): number {
    return this.#count;
  }

  write(hop: Hop): void {
    const bytes = this.#bytes;
    const at = this.#count * HOP_BYTES;
    if (at + HOP_BYTES > bytes.length) {
      this.dropped += 1;
      return;
    }
    bytes[at] = hop.kind;
    bytes[at + 1] = hop.isFailed ? HOP_FAILED : 0;
    bytes.writeUInt16LE(hop.port, at + 2);
    bytes.writeUInt32LE(Math.min(hop.payloadBytes, 0xffff_ffff), at + 4);
    bytes.write(hop.traceId, at + 8, "hex");
    bytes.write(hop.spanId, at + 24, "hex");
    if (hop.parentSpanId === "") bytes.fill(0, at + 32, at + 40);
    else bytes.write(hop.parentSpanId, at + 32, "hex");
    bytes.writeBigUInt64LE(hop.startUnixNs, at + 40);
    bytes.writeBigUInt64LE(hop.endUnixNs, at + 48);
    bytes.writeBigUInt64LE(hop.sentUnixNs, at + 56);
    bytes.writeBigUInt64LE(hop.receivedUnixNs, at + 64);
    bytes.writeUInt16LE(hop.link, at + 72);
    this.#count += 1;
  }

  /** The hops so far, as the body of a frame; a copy. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#count * HOP_BYTES));
    this.#count = 0;
    return taken;
  }
}

const NO_SPAN = "0000000000000000";

/** The hops of a frame's body; a rest that is no whole hop is left out. */
export function* readHops(body: Buffer): Generator<Hop> {
  for (let at = 0; at + HOP_BYTES <= body.length; at += HOP_BYTES) {
    const parentSpanId = body.toString("hex", at + 32, at + 40);
    yield {
      kind: body[at] === HOP_SENT ? HOP_SENT : HOP_HANDLED,
      isFailed: body[at + 1] === HOP_FAILED,
      port: body.readUInt16LE(at + 2),
      payloadBytes: body.readUInt32LE(at + 4),
      traceId: body.toString("hex", at + 8, at + 24),
      spanId: body.toString("hex", at + 24, at + 32),
      parentSpanId: parentSpanId === NO_SPAN ? "" : parentSpanId,
      startUnixNs: body.readBigUInt64LE(at + 40),
      endUnixNs: body.readBigUInt64LE(at + 48),
      sentUnixNs: body.readBigUInt64LE(at + 56),
      receivedUnixNs: body.readBigUInt64LE(at + 64),
      link: body.readUInt16LE(at + 72),
    };
  }
}
