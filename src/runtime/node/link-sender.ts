import type { OutgoingLink } from "../protocol/node-messages.ts";
import type { Outbox, Payload } from "../transports/transport.ts";

/** Kept by whoever hears of the outbox's connection. */
export interface LinkConnection {
  isConnected: boolean;
  onLost: (() => void) | undefined;
}

/**
 * One link that leaves the node. Messages go in the order of the calls; one that finds the link full
 * waits, and so do those behind it.
 */
export class LinkSender {
  readonly link: OutgoingLink;
  readonly #outbox: Outbox;
  readonly #connection: LinkConnection;
  #isClosing = false;
  /** Settles when all that wait have gone; undefined where none waits. */
  #waiting: Promise<void> | undefined;
  readonly #givingUp = new AbortController();
  /** Messages that were given up, since the node stops and the link takes nothing. */
  dropped = 0;

  constructor(link: OutgoingLink, outbox: Outbox, connection: LinkConnection) {
    this.link = link;
    this.#outbox = outbox;
    this.#connection = connection;
  }

  get isConnected(): boolean {
    return this.#connection.isConnected;
  }

  /**
   * Undefined where the link has taken it, else a promise that resolves when it has.
   *
   * Errors: `MESSAGE_TOO_LARGE`, also by the promise.
   */
  send(header: Uint8Array, payload: Payload): Promise<void> | undefined {
    if (this.#waiting === undefined && !this.#outbox.isFull) {
      this.#outbox.send(header, payload);
      return undefined;
    }
    const before = this.#waiting ?? Promise.resolve();
    const sent = before.then(() => this.#sendWhenThereIsRoom(header, payload));
    // Those behind it go on, whatever became of it.
    const settled = sent.catch(() => {});
    this.#waiting = settled;
    void settled.then(() => {
      if (this.#waiting === settled) this.#waiting = undefined;
    });
    return sent;
  }

  /** What waits, and what finds the link full from now on, is dropped and counted. */
  giveUp(): void {
    this.#givingUp.abort();
  }

  /**
   * From now on nobody waits for a receiver that is gone: when a whole dataflow stops, it does not come back,
   * and this node's time is short.
   */
  stopWaitingForLost(): void {
    const giveUp = (): void => {
      this.giveUp();
      if (this.#isClosing) void this.#outbox.close(0);
    };
    this.#connection.onLost = giveUp;
    if (!this.#connection.isConnected) giveUp();
  }

  /** Waits for what waits and for the other end to have taken all of it, so long at most. */
  async close(deadlineMs: number): Promise<void> {
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      this.giveUp();
    }, deadlineMs);
    const startMs = performance.now();
    this.#isClosing = true;
    await this.#waiting;
    clearTimeout(timer);
    const isGivenUp = this.#givingUp.signal.aborted && !this.#connection.isConnected;
    // A timer may fire a little before its time by the clock.
    const restMs = isOver ? 0 : Math.max(0, deadlineMs - (performance.now() - startMs));
    await this.#outbox.close(isGivenUp ? 0 : restMs);
    this.giveUp();
  }

  async #sendWhenThereIsRoom(header: Uint8Array, payload: Payload): Promise<void> {
    const { signal } = this.#givingUp;
    while (this.#outbox.isFull && !signal.aborted) {
      try {
        await this.#outbox.drained(signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
    if (this.#outbox.isFull) this.dropped++;
    else this.#outbox.send(header, payload);
  }
}
