/**
 * What a node's process and its daemon say to each other, over the daemon's local socket. Messages
 * between nodes do not pass here: they go from node to node over transports.
 *
 *     node     hello ───────────► daemon     who it is, and the token it was started with
 *     node  ◄─────────── welcome daemon     its inputs, outputs and parameters
 *     node     listening ──────► daemon     where its inputs can be reached
 *     node  ◄─────────── connect daemon     where its outputs go; again whenever a receiver is new
 *     node  ◄───────────── start daemon     all nodes of the dataflow listen: events begin
 *     …
 *     node     finished ───────► daemon     it sends no more; its process may end
 *
 * Each message is one frame: `docs/node-protocol.md`.
 */

/** A daemon refuses a node of another version, in words that name both. */
export const NODE_PROTOCOL_VERSION = 1;

export type TransportKind = "socket" | "tcp" | "websocket" | "grpc" | "redis" | "mqtt";

/** Values that parameters and a message's metadata may have. */
export type ParameterValue = boolean | number | string | readonly (boolean | number | string)[];
export type Parameters = Readonly<Record<string, ParameterValue>>;

export type NodeMessage =
  | {
      readonly type: "hello";
      readonly protocol: number;
      /** As in `DORA_DATAFLOW_ID`; of a dynamic node the name or id of a dataflow, or "" for the only one. */
      readonly dataflow: string;
      readonly node: string;
      /** As in `DORA_NODE_TOKEN`; "" of a dynamic node, whom the socket's permissions admit. */
      readonly token: string;
      readonly pid: number;
      /** Such as `dora-dataflow/node 0.1.0`. */
      readonly library: string;
    }
  | { readonly type: "listening"; readonly inboxes: readonly InboxAddress[] }
  | { readonly type: "log"; readonly records: readonly NodeLogRecord[] }
  | { readonly type: "gauges"; readonly gauges: NodeGauges }
  /** An input's sender has closed it, and everything was received: the daemon says `input-closed`, unless the sender comes again. */
  | { readonly type: "input-closed"; readonly input: string }
  /** A link broke, or cannot be made: the daemon decides who is told what. */
  | { readonly type: "link-failed"; readonly link: string; readonly message: string }
  /** These outputs end; all of them where it names none. */
  | { readonly type: "outputs-closed"; readonly outputs: readonly string[] }
  | { readonly type: "finished" };

export type DaemonMessage =
  | { readonly type: "welcome"; readonly config: NodeConfig }
  | { readonly type: "refused"; readonly message: string }
  | { readonly type: "connect"; readonly links: readonly OutgoingLink[] }
  | { readonly type: "disconnect"; readonly links: readonly string[] }
  | { readonly type: "start" }
  | { readonly type: "stop"; readonly reason: StopReason; readonly graceMs: number }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  | { readonly type: "reload"; readonly operator?: string }
  | {
      readonly type: "parameters";
      readonly set: Parameters;
      readonly deleted: readonly string[];
    }
  | { readonly type: "input-added"; readonly input: InputConfig }
  | { readonly type: "input-removed"; readonly input: string }
  /** Nothing follows on it, for now: its sender has closed it or ended, or was disconnected. */
  | { readonly type: "input-closed"; readonly input: string }
  | { readonly type: "input-recovered"; readonly input: string }
  | {
      readonly type: "node-failed";
      readonly node: string;
      readonly inputs: readonly string[];
      readonly message: string;
    }
  | { readonly type: "node-restarted"; readonly node: string }
  /** Records for an input of `dora/logs`: standard entries as JSON. */
  | { readonly type: "logs"; readonly input: string; readonly entries: readonly string[] };

export type StopReason = "manual" | "all-inputs-closed";

/** Everything a node must know before it runs. */
export interface NodeConfig {
  readonly dataflow: { readonly id: string; readonly name: string };
  readonly node: { readonly id: string; readonly name: string };
  readonly inputs: readonly InputConfig[];
  readonly outputs: readonly OutputConfig[];
  readonly parameters: Parameters;
  /** A folder of this dataflow alone, mode 0700: sockets and files in memory go there. */
  readonly runDirectory: string;
  /** What whoever connects to this node's inboxes must show; the same for a whole dataflow. */
  readonly linkToken: string;
  readonly operators: readonly OperatorConfig[];
  /** The node tells its gauges at least so often: a much longer silence is the end of it (`health_check_timeout`). */
  readonly silenceMaxMs?: number;
}

export interface InputConfig {
  readonly id: string;
  readonly source: InputSource;
  readonly queueSize: number;
  readonly queuePolicy: "drop_oldest" | "backpressure";
  readonly inputTimeoutMs?: number;
}

export type InputSource =
  | {
      readonly kind: "link";
      /** `source/output->target/input`; unique in a dataflow. */
      readonly link: string;
      readonly node: string;
      readonly output: string;
      readonly transport: LinkTransport;
    }
  | { readonly kind: "timer"; readonly intervalNs: number }
  | { readonly kind: "logs"; readonly level: string; readonly node?: string };

/** Which transport carries a link, and what the file says of it, such as a broker's address. */
export interface LinkTransport {
  readonly kind: TransportKind;
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

export interface OutputConfig {
  readonly id: string;
  readonly format: "arrow";
  /** The logical schema that the file declares. */
  readonly schema?: Readonly<Record<string, string>> | string;
}

export interface OperatorConfig {
  readonly id: string;
  /** Absolute path of a module, or of a Python file. */
  readonly source: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Where a node takes the links of one transport, in that transport's own terms. */
export interface InboxAddress {
  readonly transport: TransportKind;
  readonly address: string;
}

export interface OutgoingLink {
  readonly link: string;
  readonly output: string;
  readonly target: { readonly node: string; readonly input: string };
  readonly transport: LinkTransport;
  readonly address: string;
}

export interface NodeLogRecord {
  /** Unix nanoseconds in decimal, since JSON numbers cannot hold them. */
  readonly time: string;
  readonly level: "trace" | "debug" | "info" | "warn" | "error" | "fatal";
  readonly message: string;
  readonly logger?: string;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** Sent once a second while the node runs; counts are since it started. */
export interface NodeGauges {
  /** 0 to 1, since the last time; of Node's event loop, or of the Python thread that takes events. */
  readonly eventLoopUtilization?: number;
  readonly connections: number;
  readonly inputs: readonly {
    readonly input: string;
    readonly queued: number;
    readonly received: number;
    readonly dropped: number;
  }[];
  /** `unconfirmed`: sent, each link for itself, and not known to have arrived when its connection was over. */
  readonly outputs?: readonly { readonly output: string; readonly unconfirmed: number }[];
}
