import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { fileURLToPath } from "node:url";
import type { Logger } from "../../telemetry/logger.ts";
import { formatProcessToken, type ProcessIdentity } from "./process-token.ts";

type Protocol = "grpc" | "websocket";

export interface GatewayOptions {
  /** Of the daemon. */
  readonly socketPath: string;
  readonly log: Logger;
}

/**
 * Where processes without our library become nodes: two ports of the loopback interface, one for gRPC and one for
 * WebSocket. Who connects is handed over to a process that starts with the first connection, so that those who need
 * no gateway pay two sockets for it, and no message passes the daemon.
 *
 *     daemon ── accepts ──► gateway's process ── stand-ins ──► nodes
 */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #servers = new Map<Protocol, net.Server>();
  #child: ChildProcess | undefined;
  #isClosed = false;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** Where it cannot listen, there is no gateway: that is logged, and its variables are not set. */
  async open(): Promise<void> {
    try {
      await Promise.all([this.#listen("grpc"), this.#listen("websocket")]);
    } catch (error) {
      this.#options.log.warn("there is no gateway for nodes of other languages", { error });
    }
  }

  /** Of the gateway's process, once somebody has connected. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What a node's process must know to come in. */
  environmentOf(identity: ProcessIdentity): Record<string, string> {
    const grpc = this.#hostPort("grpc");
    const websocket = this.#hostPort("websocket");
    if (grpc === undefined || websocket === undefined) return {};
    return {
      DORA_GRPC_ENDPOINT: `http://${grpc}`,
      DORA_WEBSOCKET_ENDPOINT: `ws://${websocket}/`,
      DORA_GATEWAY_TOKEN: formatProcessToken(identity),
    };
  }

  /** Cuts all connections. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
    for (const server of this.#servers.values()) server.close();
  }

  async #listen(protocol: Protocol): Promise<void> {
    const server = net.createServer({ pauseOnConnect: true }, (socket) => {
      socket.on("error", () => {});
      this.#handOver(protocol, socket);
    });
    server.listen({ host: "127.0.0.1", port: 0 });
    await once(server, "listening");
    server.on("error", (error) => this.#options.log.error("the gateway's port failed", { error }));
    this.#servers.set(protocol, server);
  }

  #handOver(protocol: Protocol, socket: net.Socket): void {
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    this.#child ??= this.#start();
    this.#child.send(protocol, socket, {}, (error) => {
      if (error !== null) socket.destroy();
    });
  }

  #start(): ChildProcess {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const program = fileURLToPath(new URL(`gateway-process.${extension}`, import.meta.url));
    const child = fork(program, [this.#options.socketPath], {
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const forget = (reason: string): void => {
      if (this.#child === child) this.#child = undefined;
      if (this.#isClosed) return;
      this.#options.log.error("the gateway for nodes of other languages ended", { reason });
    };
    child.once("error", (error) => forget(error.message));
    child.once("exit", (code, signal) => forget(signal ?? `exit code ${code}`));
    return child;
  }

  #hostPort(protocol: Protocol): string | undefined {
    const address = this.#servers.get(protocol)?.address();
    return typeof address === "object" && address !== null
      ? `127.0.0.1:${address.port}`
      : undefined;
  }
}
