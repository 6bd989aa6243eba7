import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { WebSocketServer } from "ws";
import { z } from "zod";
import { AppError } from "../core/errors.ts";
import type { Filter } from "../core/filter.ts";
import type { FollowBatch } from "../log-store/log-store.ts";
import type { ApiContext } from "./api-context.ts";
import { answerError, refuseUpgrade } from "../collector/error-answer.ts";
import { LIVE_BACKLOG_MAX, LIVE_MESSAGE_BYTES_MAX } from "./limits.ts";
import { isOriginAllowed } from "../collector/origin.ts";
import { QuerySlots } from "./query-slots.ts";
import { parseParameters, readFilterQuery, wholeNumber } from "./request-parameters.ts";

/** Where live search is served. */
export const LIVE_PATH = "/api/v1/logs/live";

const LIVE_PARAMETERS = z.object({
  query: z.string({ error: "give it once, as text" }).default(""),
  backlog: wholeNumber(0, LIVE_BACKLOG_MAX).default(0),
});

/** Close codes of RFC 6455 7.4.1. */
const CLOSE_GOING_AWAY = 1001;
const CLOSE_INTERNAL = 1011;

/** A live search that was admitted: what it follows, and its slot. */
interface Admitted {
  readonly filter: Filter;
  readonly backlog: number;
  release(): void;
}

/**
 * Live search over WebSocket: the backlog, then every match as it is committed.
 *
 *     store.follow --batch--> frame --sent--> next batch
 *          |                    |
 *          | holds at most      | one at a time: a batch is taken only when the one before
 *          | liveBufferBytesMax | has left for the socket
 *
 * So a slow reader's matches wait in the store, which bounds them, counts what it drops, and tells
 * it in the next batch. Everything is checked before the upgrade, with an ordinary answer.
 */
export class LiveSearch {
  readonly #context: ApiContext;
  readonly #originsAllowed: readonly string[];
  readonly #slots: QuerySlots;
  readonly #server: WebSocketServer;
  /** When each client was last heard of, on the monotonic clock. */
  readonly #heardMs = new Map<WebSocket, number>();
  readonly #pinging: NodeJS.Timeout;
  readonly #stopped = new AbortController();

  constructor(context: ApiContext, originsAllowed: readonly string[]) {
    this.#context = context;
    this.#originsAllowed = originsAllowed;
    const { livePerPrincipalMax, liveMax, pingIntervalMs } = context.limits;
    this.#slots = new QuerySlots({
      what: "live searches",
      perPrincipalMax: livePerPrincipalMax,
      totalMax: liveMax,
    });
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: LIVE_MESSAGE_BYTES_MAX,
      perMessageDeflate: false,
      autoPong: false,
    });
    this.#pinging = setInterval(() => this.#pingAll(), pingIntervalMs);
    this.#pinging.unref();
  }

  /** Takes a connection that asked for an upgrade. Never throws: what is refused is answered. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A client may reset the connection at any time; its close is seen elsewhere.
    socket.on("error", ignoreReset);
    let admitted: Admitted;
    try {
      admitted = this.#admit(request);
    } catch (error) {
      refuseUpgrade(socket, answerError(error, this.#context.log));
      return;
    }
    // Also where the handshake fails, and where it succeeds and ends later.
    socket.once("close", () => admitted.release());
    this.#server.handleUpgrade(request, socket, head, (client) => {
      void this.#serve(client, admitted);
    });
  }

  /** Ends all live searches: each client is told that the service goes away. */
  stop(): void {
    clearInterval(this.#pinging);
    this.#stopped.abort();
    for (const client of this.#heardMs.keys()) client.close(CLOSE_GOING_AWAY, "service stopping");
  }

  /** Gives up the clients that did not answer the close. */
  terminate(): void {
    for (const client of this.#heardMs.keys()) client.terminate();
  }

  /** Errors: as an ordinary request's. */
  #admit(request: IncomingMessage): Admitted {
    const { authenticator } = this.#context;
    const { authorization, origin, host } = request.headers;
    const principal = authenticator?.authenticate(authorization);
    if (authenticator !== undefined && principal === undefined) {
      throw new AppError("UNAUTHENTICATED", "give a token: Authorization: Bearer TOKEN");
    }
    if (this.#stopped.signal.aborted) throw new AppError("STORE_CLOSED", "the service is stopping");
    const url = URL.parse(request.url ?? "/", "http://localhost");
    if (url?.pathname !== LIVE_PATH) {
      throw new AppError("NOT_FOUND", "there is no WebSocket here", {
        hint: `live search is at ${LIVE_PATH}`,
      });
    }
    if (!isOriginAllowed(origin, host, this.#originsAllowed)) {
      throw new AppError("ORIGIN_REFUSED", "pages of this origin may not connect");
    }
    const parameters = parseParameters(LIVE_PARAMETERS, toObject(url.searchParams));
    const { filter } = readFilterQuery(parameters.query);
    const release = this.#slots.acquire(principal ?? request.socket.remoteAddress ?? "");
    return { filter, backlog: parameters.backlog, release };
  }

  async #serve(client: WebSocket, { filter, backlog }: Admitted): Promise<void> {
    const left = new AbortController();
    this.#listen(client, left);
    const signal = AbortSignal.any([left.signal, this.#stopped.signal]);
    const { store, limits, log } = this.#context;
    const request = {
      signal: "logs",
      filter,
      backlog,
      bufferBytesMax: limits.liveBufferBytesMax,
    } as const;
    try {
      for await (const batch of store.follow(request, signal)) {
        for (const frame of framesOf(batch)) await send(client, frame);
      }
      client.close(CLOSE_GOING_AWAY, "service stopping");
    } catch (error) {
      if (signal.aborted) return;
      const { body } = answerError(error, log);
      client.send(JSON.stringify({ type: "error", ...body }));
      client.close(CLOSE_INTERNAL);
    }
  }

  #listen(client: WebSocket, left: AbortController): void {
    const { clock, limits } = this.#context;
    const hear = (): void => void this.#heardMs.set(client, clock.monotonicMs());
    hear();
    client.on("pong", hear);
    client.on("ping", (data) => {
      hear();
      // A client that only asks and never reads must not fill our memory with answers.
      if (client.bufferedAmount <= limits.liveControlBytesMax) client.pong(data);
    });
    client.on("error", (error) => this.#context.log.debug("a live search failed", { error }));
    client.once("close", () => {
      this.#heardMs.delete(client);
      left.abort();
    });
  }

  #pingAll(): void {
    const { clock, limits } = this.#context;
    const nowMs = clock.monotonicMs();
    for (const [client, heardMs] of this.#heardMs) {
      if (nowMs - heardMs > limits.silentMs) client.terminate();
      else if (client.bufferedAmount <= limits.liveControlBytesMax) client.ping();
    }
  }
}

/** The parameters of a URL; one that stands twice becomes a list, which no schema takes. */
function toObject(parameters: URLSearchParams): Readonly<Record<string, string | string[]>> {
  const names = new Set(parameters.keys());
  return Object.fromEntries(
    Array.from(names, (name) => {
      const values = parameters.getAll(name);
      return [name, values.length === 1 ? (values[0] ?? "") : values];
    }),
  );
}

const NEWLINE = 0x0a;
const COMMA = 0x2c;

/** What a client is sent for a batch: what fitted the buffer, then how many came after it. */
function framesOf({ lines, count, missed }: FollowBatch): readonly (string | Uint8Array)[] {
  const frames: (string | Uint8Array)[] = [];
  if (count > 0) frames.push(entriesFrame(lines));
  if (missed > 0) frames.push(JSON.stringify({ type: "missed", count: missed }));
  return frames;
}

/** JSON Lines as one JSON message. JSON escapes line ends, so each one ends an entry. */
function entriesFrame(lines: Uint8Array): Uint8Array {
  const entries = lines.slice(0, lines.at(-1) === NEWLINE ? -1 : undefined);
  for (let at = entries.indexOf(NEWLINE); at !== -1; at = entries.indexOf(NEWLINE, at + 1)) {
    entries[at] = COMMA;
  }
  return Buffer.concat([Buffer.from('{"type":"entries","entries":['), entries, Buffer.from("]}")]);
}

/** Sends a text message and resolves once it has left for the socket. */
function send(client: WebSocket, frame: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    client.send(frame, { binary: false }, (error) => {
      if (error === undefined || error === null) resolve();
      else reject(error);
    });
  });
}

function ignoreReset(): void {}
