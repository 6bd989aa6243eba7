import { once } from "node:events";
import net from "node:net";

/** Where a connection goes: a socket's path, or a port of this machine. */
export type ProxyTarget =
  | { readonly path: string }
  | { readonly port: number; readonly host: string };

/** Stands between two ends, so that a test can cut their connection and let it come back. */
export interface CutProxy {
  readonly port: number;
  /** Cuts all connections, and those that come until `restore`. */
  cut(): void;
  restore(): void;
  close(): Promise<void>;
}

export async function startCutProxy(target: ProxyTarget, listenPath?: string): Promise<CutProxy> {
  const sockets = new Set<net.Socket>();
  let isCut = false;
  const server = net.createServer((near) => {
    if (isCut) {
      near.destroy();
      return;
    }
    const far = net.connect(target);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => {
        sockets.delete(socket);
        other.destroySoon();
      });
      socket.pipe(other);
    }
  });
  if (listenPath === undefined) server.listen(0, "127.0.0.1");
  else server.listen(listenPath);
  await once(server, "listening");
  const address = server.address();
  const destroyAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    cut: () => {
      isCut = true;
      destroyAll();
    },
    restore: () => {
      isCut = false;
    },
    close: async () => {
      destroyAll();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
