import type { LinkReceiver } from "../../../src/runtime/transports/transport.ts";

/** Remembers what a link brought. */
export class RecordingReceiver implements LinkReceiver {
  readonly headers: Uint8Array[] = [];
  readonly payloads: Uint8Array[] = [];
  readonly topics: string[] = [];
  readonly connections: boolean[] = [];
  ends = 0;
  /** Called after each message. */
  onEach: ((payload: Uint8Array) => void) | undefined;
  readonly #waiters: { readonly isDone: () => boolean; readonly resolve: () => void }[] = [];

  onMessage(header: Uint8Array, payload: Uint8Array, topic: string): void {
    this.headers.push(header);
    this.payloads.push(payload);
    this.topics.push(topic);
    this.onEach?.(payload);
    this.#wake();
  }

  onEnd(): void {
    this.ends++;
    this.#wake();
  }

  onConnection(isConnected: boolean): void {
    this.connections.push(isConnected);
    this.#wake();
  }

  get count(): number {
    return this.payloads.length;
  }

  /** The numbers that `numbered` wrote. */
  numbers(): readonly number[] {
    return this.payloads.map((payload) => Buffer.from(payload).readUInt32LE(0));
  }

  received(count: number): Promise<void> {
    return this.until(() => this.count >= count);
  }

  /** Resolves as soon as it is so after a message, an end or a change of the connection. */
  until(isDone: () => boolean): Promise<void> {
    if (isDone()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push({ isDone, resolve });
    });
  }

  #wake(): void {
    for (const waiter of this.#waiters.filter(({ isDone }) => isDone())) {
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      waiter.resolve();
    }
  }
}

/** A payload of at least four bytes that begins with its number. */
export function numbered(number: number, bytes = 4): Buffer {
  const payload = Buffer.alloc(bytes, number & 0xff);
  payload.writeUInt32LE(number);
  return payload;
}
