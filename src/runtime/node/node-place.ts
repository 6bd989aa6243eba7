import { AppError } from "../../core/errors.ts";
import { daemonFolder, daemonSocketPath } from "../daemon/daemon-folder.ts";
import { NODE_PROTOCOL_VERSION, type NodeMessage } from "../protocol/node-messages.ts";

export interface NodePlace {
  readonly socketPath: string;
  readonly hello: Extract<NodeMessage, { readonly type: "hello" }>;
}

/** A node that is started by hand, `path: dynamic` in the dataflow file. */
export interface DynamicNode {
  /** The node's id. */
  readonly node: string;
  /** The dataflow's name or id; may be left out where only one runs. */
  readonly dataflow?: string;
}

/** Who this process is, and where its daemon is. Errors: `DAEMON_UNREACHABLE` where nothing says who. */
export function findPlace(
  environment: Readonly<Record<string, string | undefined>>,
  dynamic: DynamicNode | undefined,
  library: string,
): NodePlace {
  const node = dynamic?.node ?? environment["DORA_NODE_ID"];
  if (node === undefined) {
    throw new AppError(
      "DAEMON_UNREACHABLE",
      'DORA_NODE_ID is not set: no daemon started this process. Node.connect({ node: "ID" }) connects a node that is started by hand',
    );
  }
  const isDynamic = dynamic !== undefined;
  return {
    socketPath: environment["DORA_DAEMON_SOCKET"] ?? daemonSocketPath(daemonFolder(environment)),
    hello: {
      type: "hello",
      protocol: NODE_PROTOCOL_VERSION,
      dataflow: (isDynamic ? dynamic.dataflow : environment["DORA_DATAFLOW_ID"]) ?? "",
      node,
      token: (isDynamic ? undefined : environment["DORA_NODE_TOKEN"]) ?? "",
      pid: process.pid,
      library,
    },
  };
}
