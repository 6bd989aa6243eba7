import { AppError } from "../../core/errors.ts";
import { daemonFolder, daemonSocketPath } from "../daemon/daemon-folder.ts";
import { NODE_PROTOCOL_VERSION, type NodeMessage } from "../protocol/node-messages.ts";

export interface NodePlace {
  readonly socketPath: string;
  readonly hello: Extract<NodeMessage, { readonly type: "hello" }>;
}

export interface PlaceOptions {
  /** Id of a node that is started by hand, `path: dynamic` in the dataflow file. */
  readonly node?: string;
  /** Its dataflow's name or id; may be left out where only one runs. */
  readonly dataflow?: string;
  /** Default `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Who this process is, and where its daemon is. Errors: `DAEMON_UNREACHABLE` where nothing says who. */
export function findPlace(options: PlaceOptions, library: string): NodePlace {
  const { environment = process.env } = options;
  const isDynamic = options.node !== undefined;
  const node = options.node ?? environment["DORA_NODE_ID"];
  if (node === undefined) {
    throw new AppError(
      "DAEMON_UNREACHABLE",
      'DORA_NODE_ID is not set: no daemon started this process. Node.connect({ node: "ID" }) connects a node that is started by hand',
    );
  }
  return {
    socketPath: environment["DORA_DAEMON_SOCKET"] ?? daemonSocketPath(daemonFolder(environment)),
    hello: {
      type: "hello",
      protocol: NODE_PROTOCOL_VERSION,
      dataflow: (isDynamic ? options.dataflow : environment["DORA_DATAFLOW_ID"]) ?? "",
      node,
      token: (isDynamic ? undefined : environment["DORA_NODE_TOKEN"]) ?? "",
      pid: process.pid,
      library,
    },
  };
}

/** How often the daemon started this process's node again; 0 of one that was started by hand. */
export function findRestarts({ node, environment = process.env }: PlaceOptions): number {
  return node === undefined ? Number(environment["DORA_RESTART_COUNT"] ?? 0) : 0;
}
