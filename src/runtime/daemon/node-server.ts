import { once } from "node:events";
import { chmodSync, rmSync } from "node:fs";
import net from "node:net";
import { AppError, errorMessage } from "../../core/errors.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { Admission, Hello } from "./node-connection.ts";
import { NodeConnection } from "./node-connection.ts";

/** Connections at a time; further ones are closed at once. */
export const CONNECTIONS_MAX = 4096;

export interface NodeServerOptions {
  readonly path: string;
  readonly log: Logger;
  readonly admit: (hello: Hello, connection: NodeConnection) => Admission;
}

/** The daemon's local socket, at which nodes say hello. Its folder's permissions keep others out. */
export class NodeServer {
  readonly #server: net.Server;
  readonly #connections: Set<NodeConnection>;

  private constructor(server: net.Server, connections: Set<NodeConnection>) {
    this.#server = server;
    this.#connections = connections;
  }

  /**
   * Errors: `ADDRESS_IN_USE` where another daemon answers there; `LISTEN_FAILED`. A socket's file that a
   *         killed daemon left is replaced.
   */
  static async open(options: NodeServerOptions): Promise<NodeServer> {
    const { path, log, admit } = options;
    if (await isAnswered(path)) {
      throw new AppError("ADDRESS_IN_USE", `another daemon of this user runs at ${path}`, {
        hint: "use that one, or stop it with `dora down`",
      });
    }
    rmSync(path, { force: true });
    const connections = new Set<NodeConnection>();
    const server = net.createServer((socket) => {
      const onClose = (closed: NodeConnection): void => void connections.delete(closed);
      connections.add(new NodeConnection(socket, { log, admit, onClose }));
    });
    server.maxConnections = CONNECTIONS_MAX;
    server.on("drop", () => log.warn("a node's connection was closed: there are too many"));
    try {
      server.listen(path);
      await once(server, "listening");
      chmodSync(path, 0o600);
    } catch (error) {
      const message = `cannot listen at ${path}: ${errorMessage(error)}`;
      throw new AppError("LISTEN_FAILED", message, {
        cause: error,
        hint: "set XDG_RUNTIME_DIR to a folder of this user with a short path",
      });
    }
    server.on("error", (error) => log.error("the daemon's socket failed", { error }));
    return new NodeServer(server, connections);
  }

  /** Cuts all connections. */
  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }
}

function isAnswered(path: string): Promise<boolean> {
  const socket = net.connect(path);
  return new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  }).finally(() => socket.destroy());
}
