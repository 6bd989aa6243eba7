import { once } from "node:events";
import { chmodSync, unlinkSync } from "node:fs";
import net from "node:net";
import { AppError } from "../../core/errors.ts";
import { listenError } from "./endpoint.ts";
import { FramedOutbox } from "./framed-outbox.ts";
import { GUARANTEES } from "./guarantees.ts";
import { StreamInbox } from "./stream-inbox.ts";
import { StreamLink } from "./stream-link.ts";
import {
  type Inbox,
  type InboxOptions,
  type Outbox,
  OUTBOX_BYTES_MAX,
  type OutboxOptions,
  type Transport,
} from "./transport.ts";

/** `sun_path` of Linux has 108 bytes with the closing zero; macOS 104. */
const PATH_BYTES_MAX = 103;

export interface SocketTransportOptions {
  /**
   * A folder in memory (`/dev/shm/...`), of this flow and user alone (mode 0700), for payloads of 128 KiB and
   * more. Where it is left out, everything goes through the socket. Its owner removes it when the flow ends.
   */
  readonly ringFolder?: string;
}

/**
 * Links between processes of one machine, each over a Unix domain socket of its own.
 *
 * Source: docs/transports.md "socket" and "Frames".
 */
export class SocketTransport implements Transport {
  readonly guarantees = GUARANTEES.socket;
  readonly #ringFolder: string | undefined;

  constructor(options: SocketTransportOptions = {}) {
    this.#ringFolder = options.ringFolder;
  }

  async openInbox(options: InboxOptions): Promise<Inbox> {
    const path = pathOf(options.endpoint);
    const server = net.createServer();
    try {
      await listen(server, path);
      chmodSync(path, 0o600);
    } catch (error) {
      throw listenError(error, options.endpoint);
    }
    return new StreamInbox({ ...options, server, ...this.#ringOptions() });
  }

  async openOutbox(options: OutboxOptions): Promise<Outbox> {
    const path = pathOf(options.endpoint);
    return FramedOutbox.open(options, (events) => {
      const socket = connectSocket({ path });
      return new StreamLink(socket, { hello: options, ...this.#ringOptions() }, events);
    });
  }

  async close(): Promise<void> {}

  #ringOptions(): SocketTransportOptions {
    return this.#ringFolder === undefined ? {} : { ringFolder: this.#ringFolder };
  }
}

/** A connection whose buffer is full at the outbox's limit. */
export function connectSocket(options: net.NetConnectOpts): net.Socket {
  const socketOptions: net.SocketConstructorOpts & { readonly writableHighWaterMark: number } = {
    writableHighWaterMark: OUTBOX_BYTES_MAX,
  };
  return new net.Socket(socketOptions).connect(options);
}

async function listen(server: net.Server, path: string): Promise<void> {
  try {
    server.listen(path);
    await once(server, "listening");
  } catch (error) {
    const isInUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    // A process that was killed leaves its socket's file behind, at which nobody answers.
    if (!isInUse || (await isAnswered(path))) throw error;
    unlinkSync(path);
    server.listen(path);
    await once(server, "listening");
  }
}

function isAnswered(path: string): Promise<boolean> {
  const socket = net.connect(path);
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  }).then((isThere) => {
    socket.destroy();
    return isThere === true;
  });
}

/** The file of `unix:PATH`. Errors: `CONFIG_INVALID`. */
function pathOf(endpoint: string): string {
  const path = endpoint.startsWith("unix:") ? endpoint.slice("unix:".length) : "";
  if (!path.startsWith("/") && !path.startsWith("\\\\")) {
    throw new AppError(
      "CONFIG_INVALID",
      `the endpoint "${endpoint}" is none; give one such as unix:/run/dora/camera.sock`,
    );
  }
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
    throw new AppError(
      "CONFIG_INVALID",
      `the socket's path ${path} is longer than ${PATH_BYTES_MAX} bytes, which the system does not allow`,
    );
  }
  return path;
}
