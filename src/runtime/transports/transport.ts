/**
 * How messages get from node to node. A node's process has one inbox, where its links arrive, and an
 * outbox for each link that leaves it. Whoever introduces the nodes gives both ends the link's address.
 *
 *     sending node                                     receiving node
 *     Outbox.send(header, payload)  ── topic, token ─▶  Inbox.accept(link, receiver)
 *     drained()                     ◀─ backpressure ──  InboxLink.pause()
 */
/** The opaque bytes before a payload: time, parameters, trace context. */
export const HEADER_BYTES_MAX = 64 * 1024;

/** What most transports carry; a transport's own `guarantees` may say less. */
export const PAYLOAD_BYTES_MAX = 256 * 1024 * 1024;

/** What an outbox holds before it is full: messages not yet with the system, or waiting for a peer. */
export const OUTBOX_BYTES_MAX = 1024 * 1024;

/** How long `openOutbox` tries to reach the other end. */
export const CONNECT_TIMEOUT_MS = 10_000;

/** How long `Outbox.close` waits until the other end has taken everything. */
export const CLOSE_TIMEOUT_MS = 5_000;

/** A payload: one piece, or pieces that are sent one after the other as one. */
export type Payload = Uint8Array | readonly Uint8Array[];

/** What a transport promises, as data; the table is in `guarantees.ts`. */
export interface TransportGuarantees {
  /** As `transport:` in a dataflow file. */
  readonly kind: string;
  readonly order: "per link" | "per task, not among workers" | "per sender and topic";
  readonly delivery: "at most once" | "at least once";
  readonly payloadBytesMax: number;
  /** What becomes of messages that the receiver is too slow for. */
  readonly slowReceiver: "the sender waits" | "dropped and counted" | "kept at the broker";
  /** Whether a topic may hold wildcards and have several senders. */
  readonly hasWildcards: boolean;
  /** What happens when the connection is lost and comes back: a sentence. */
  readonly onReconnect: string;
}

/**
 * Carries links of one kind.
 *
 * Threads: an instance and all it opens belong to one thread; calls may overlap.
 * Source:  docs/transports.md
 */
export interface Transport {
  readonly guarantees: TransportGuarantees;
  /** Errors: `LISTEN_FAILED`, `ADDRESS_IN_USE`, `CONFIG_INVALID`; `LINK_UNREACHABLE` for a broker. */
  openInbox(options: InboxOptions): Promise<Inbox>;
  /**
   * Connects a link, trying again until `connectTimeoutMs` is over.
   *
   * Errors: `LINK_REFUSED` where the other end knows no such topic or token, `LINK_UNREACHABLE`,
   *         `CONFIG_INVALID`.
   */
  openOutbox(options: OutboxOptions): Promise<Outbox>;
  /** Closes what its links share, such as a pool of connections. Close inboxes and outboxes first. */
  close(): Promise<void>;
}

/** The two names of a link, in the transport's own terms. */
export interface LinkAddress {
  /** Where: `unix:/run/flow/node.sock`, `tcp://127.0.0.1:7001`, `ws://`, `grpc://`, `redis://`, `mqtt://`. */
  readonly endpoint: string;
  /** What: the link's id between two nodes; a channel, stream or topic at a broker. */
  readonly topic: string;
}

export interface InboxOptions {
  /** Where to listen, or the broker. A port 0 and the like are replaced in `Inbox.endpoint`. */
  readonly endpoint: string;
  /** Told of each connection that was turned away, and why; the words hold nothing secret. */
  readonly onRefused?: (reason: string) => void;
}

export interface Inbox {
  /** What a peer's `OutboxOptions` need. */
  readonly endpoint: string;
  /** Connections turned away so far: strangers, wrong tokens, bytes that make no sense. */
  readonly refusedConnections: number;
  /**
   * Lets a link arrive here; once the promise settles, the sender may connect. Where senders connect
   * to the inbox, the newest connection of a topic takes the place of an older one.
   *
   * Errors: `CONFIG_INVALID` for a topic that is taken or makes no sense; `LINK_UNREACHABLE`.
   */
  accept(link: LinkAcceptance, receiver: LinkReceiver): Promise<InboxLink>;
  /** Closes all links at once; nothing is received after the call. Safe to call twice. */
  close(): Promise<void>;
}

export interface LinkAcceptance {
  /** May hold wildcards where the transport's guarantees say so. */
  readonly topic: string;
  /** What a sender must show; brokers use their own credentials instead. */
  readonly token: string;
}

/** Where a link's messages go. Its functions are called one at a time, in order, and must not throw. */
export interface LinkReceiver {
  /**
   * Takes one message. The bytes are the receiver's; `topic` is the one it was sent to.
   *
   * A transport that delivers at least once counts the message as done when the promise resolves, and
   * delivers it again if it rejects; it may call again before. Others do not look at what is returned.
   */
  onMessage(header: Uint8Array, payload: Uint8Array, topic: string): void | Promise<void>;
  /** The sender has closed its outbox and everything it sent was received. Not told by brokers. */
  onEnd?(): void;
  /** The sender, or the broker, came or went. */
  onConnection?(isConnected: boolean): void;
}

export interface InboxLink {
  readonly stats: Readonly<InboxStats>;
  /** No message is handed over from now on; what the sender goes on sending waits at its side, up to
   * the transport's named limits. */
  pause(): void;
  resume(): void;
  /**
   * Hands a payload's memory back, to be filled again. Optional, and worth it above a megabyte: fresh
   * memory costs more than the copy into it. Neither the payload nor a view of it may be read after.
   */
  recycle(payload: Uint8Array): void;
  /** Receives no more on this link; a sender that is connected is cut off, and refused from now on. */
  close(): Promise<void>;
}

export interface InboxStats {
  receivedMessages: number;
  /** Of headers and payloads. */
  receivedBytes: number;
  /** Messages known not to have been handed over: only where the guarantees allow it. */
  lostMessages: number;
}

export interface OutboxOptions extends LinkAddress {
  readonly token: string;
  /** Default `CONNECT_TIMEOUT_MS`. */
  readonly connectTimeoutMs?: number;
  /** Told of the loss and return of the connection, after the first one. */
  readonly onConnection?: (event: ConnectionEvent) => void;
}

export type ConnectionEvent =
  | { readonly status: "disconnected"; readonly reason: string }
  | {
      readonly status: "reconnected";
      /** Messages that were under way and did not arrive, or may not have. */
      readonly lostMessages: number;
    };

/**
 * What became of a message.
 * - `sent`: taken, and more may be sent now.
 * - `full`: taken, but wait for `drained()` before the next.
 * - `dropped`: not taken and counted: the sender was told `full` and did not wait, or the outbox is closed.
 */
export type SendResult = "sent" | "full" | "dropped";

export interface Outbox {
  readonly stats: Readonly<OutboxStats>;
  readonly isFull: boolean;
  /**
   * Sends one message, without waiting. The bytes must stay as they are: they may be read later.
   *
   * Errors: `MESSAGE_TOO_LARGE`, naming the limit.
   */
  send(header: Uint8Array, payload: Payload): SendResult;
  /**
   * Gives back what was sent and waits for a connection, oldest first, so that it can be sent by another outbox:
   * it no longer counts as sent by this one.
   */
  takeWaiting(): readonly WaitingMessage[];
  /** Resolves once `isFull` is false, or the outbox closed. Errors: the signal's reason. */
  drained(signal?: AbortSignal): Promise<void>;
  /**
   * Ends the link: waits until all that was sent was taken at the other end, or the deadline is over;
   * what was not taken by then is counted as lost. A further call may make the deadline an earlier one.
   * With 0 the link is cut: the other end sees the sender go, and is told of no end.
   */
  close(deadlineMs?: number): Promise<void>;
}

export interface WaitingMessage {
  readonly header: Uint8Array;
  readonly payload: Payload;
}

export interface OutboxStats {
  sentMessages: number;
  /** Of headers and payloads. */
  sentBytes: number;
  /** Sent, and known or feared not to have arrived, since a connection was lost. */
  lostMessages: number;
  /** Not taken: sent while the outbox was full or closed. */
  droppedMessages: number;
  reconnects: number;
}
