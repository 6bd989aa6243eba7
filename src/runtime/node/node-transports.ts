import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LinkTransport, NodeConfig, TransportKind } from "../protocol/node-messages.ts";
import { openTransport, type TransportOptions } from "../transports/open-transport.ts";
import type { TlsSettings } from "../transports/tcp.ts";
import type { Inbox, Transport } from "../transports/transport.ts";

/** Of a socket's path, on every system. */
const SOCKET_PATH_BYTES_MAX = 103;

/** Where inboxes listen, or the broker is, unless a link's options say another `endpoint`. */
export const DEFAULT_ENDPOINTS: Readonly<Record<Exclude<TransportKind, "socket">, string>> = {
  tcp: "tcp://127.0.0.1:0",
  websocket: "ws://127.0.0.1:0",
  grpc: "grpc://127.0.0.1:0",
  redis: "redis://127.0.0.1:6379",
  mqtt: "mqtt://127.0.0.1:1883",
};

interface OpenTransport {
  readonly kind: TransportKind;
  /** For links of the node to itself, which do not leave the process. */
  readonly isLocal: boolean;
  readonly transport: Promise<Transport>;
  /** Opened with the first link that arrives. */
  inbox: Promise<Inbox> | undefined;
}

/** The transports of one node, each loaded and opened with its first link: links of the same options share one. */
export class NodeTransports {
  readonly #config: Pick<NodeConfig, "node" | "runDirectory">;
  readonly #onRefused: (reason: string) => void;
  readonly #open = new Map<string, OpenTransport>();

  constructor(
    config: Pick<NodeConfig, "node" | "runDirectory">,
    onRefused: (reason: string) => void,
  ) {
    this.#config = config;
    this.#onRefused = onRefused;
  }

  /** `peer`: the node at the other end. Errors: those of `openTransport`. */
  transport(link: LinkTransport, peer: string): Promise<Transport> {
    return this.#find(link, peer).transport;
  }

  /** Errors: those of `Transport.openInbox`. */
  inbox(link: LinkTransport, peer: string): Promise<Inbox> {
    const found = this.#find(link, peer);
    found.inbox ??= this.#openInbox(found.transport, link);
    return found.inbox;
  }

  /** Where links arrive now; what could not be opened is left out. Of one kind the first is for other nodes. */
  async addresses(): Promise<
    readonly { readonly transport: TransportKind; readonly address: string }[]
  > {
    const open = [...this.#open.values()].toSorted(
      (left, right) => Number(left.isLocal) - Number(right.isLocal),
    );
    const found = open.map(async ({ kind, inbox }) => {
      const address = (await inbox)?.endpoint;
      return address === undefined ? [] : [{ transport: kind, address }];
    });
    const settled = await Promise.allSettled(found);
    return settled.flatMap((each) => (each.status === "fulfilled" ? each.value : []));
  }

  /** Nothing arrives any more. */
  async closeInboxes(): Promise<void> {
    const inboxes = [...this.#open.values()].map(async ({ inbox }) => (await inbox)?.close());
    await Promise.allSettled(inboxes);
  }

  async close(): Promise<void> {
    await this.closeInboxes();
    const closed = [...this.#open.values()].map(async ({ transport }) => (await transport).close());
    await Promise.allSettled(closed);
  }

  #find(link: LinkTransport, peer: string): OpenTransport {
    const isLocal = link.kind === "socket" && peer === this.#config.node.id;
    const key = isLocal ? "local" : `${link.kind} ${JSON.stringify(link.options)}`;
    let found = this.#open.get(key);
    if (found === undefined) {
      const transport = isLocal ? openLocalTransport() : this.#openTransport(link);
      found = { kind: link.kind, isLocal, transport, inbox: undefined };
      this.#open.set(key, found);
    }
    return found;
  }

  #openTransport(link: LinkTransport): Promise<Transport> {
    return openTransport(link.kind, {
      ringFolder: this.#config.runDirectory,
      tls: tlsOf(link),
      redis: redisOf(link),
    });
  }

  async #openInbox(transport: Promise<Transport>, link: LinkTransport): Promise<Inbox> {
    const opened = await transport;
    return opened.openInbox({ endpoint: this.#endpointOf(link), onRefused: this.#onRefused });
  }

  #endpointOf({ kind, options }: LinkTransport): string {
    const { endpoint } = options;
    if (typeof endpoint === "string") return endpoint;
    return kind === "socket" ? `unix:${this.#socketPath()}` : DEFAULT_ENDPOINTS[kind];
  }

  #socketPath(): string {
    const { node, runDirectory } = this.#config;
    const path = join(runDirectory, `${node.id}.sock`);
    if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return path;
    const short = createHash("sha256").update(node.id).digest("hex").slice(0, 16);
    return join(runDirectory, `${short}.sock`);
  }
}

async function openLocalTransport(): Promise<Transport> {
  const { LocalTransport } = await import("./local-transport.ts");
  return new LocalTransport();
}

/** Options name files in PEM. */
function tlsOf({ options }: LinkTransport): TlsSettings {
  const read = (file: unknown): string | undefined =>
    typeof file === "string" ? readFileSync(file, "utf8") : undefined;
  const cert = read(options["cert"]);
  const key = read(options["key"]);
  const ca = read(options["ca"]);
  return {
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(ca === undefined ? {} : { ca }),
  };
}

function redisOf({ options }: LinkTransport): NonNullable<TransportOptions["redis"]> {
  const { mode, group, idleMs } = options;
  return {
    ...(mode === "events" || mode === "tasks" ? { mode } : {}),
    ...(typeof group === "string" ? { group } : {}),
    ...(typeof idleMs === "number" ? { idleMs } : {}),
  };
}

/** The name of a link's messages: with brokers it may be one that others know too. */
export function topicOf(link: string, { options }: LinkTransport): string {
  return typeof options["topic"] === "string" ? options["topic"] : link;
}
