/** The daemon's side of the node protocol, over a real socket: introduces nodes as a daemon does, and no more. */
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import {
  encodeFrame,
  encodeJsonFrame,
  FRAME_HOPS,
  FRAME_JSON,
  FrameReader,
} from "../../../src/runtime/protocol/frames.ts";
import { type Hop, readHops } from "../../../src/runtime/protocol/hops.ts";
import type {
  DaemonMessage,
  InputConfig,
  LinkTransport,
  NodeConfig,
  NodeMessage,
  OutgoingLink,
} from "../../../src/runtime/protocol/node-messages.ts";

const SOCKET: LinkTransport = { kind: "socket", options: {} };

/** A node as a test writes it: inputs are `node/output`, `timer:MILLISECONDS` or the whole configuration. */
export interface NodePlan {
  readonly inputs?: Readonly<Record<string, string | Partial<InputConfig>>>;
  readonly outputs?: readonly (string | NodeConfig["outputs"][number])[];
  readonly parameters?: NodeConfig["parameters"];
  readonly operators?: NodeConfig["operators"];
}

/** One node's connection, and everything that it said. */
export class NodeSide {
  readonly id: string;
  readonly messages: NodeMessage[] = [];
  readonly hops: Hop[] = [];
  hellos = 0;
  isConnected = false;
  socket: net.Socket | undefined;
  readonly #waiters: (() => void)[] = [];

  constructor(id: string) {
    this.id = id;
  }

  say(message: DaemonMessage): void {
    this.socket?.write(encodeJsonFrame(message));
  }

  sayBytes(bytes: Uint8Array): void {
    this.socket?.write(bytes);
  }

  of<Type extends NodeMessage["type"]>(
    type: Type,
  ): readonly Extract<NodeMessage, { readonly type: Type }>[] {
    return this.messages.filter(
      (message): message is Extract<NodeMessage, { readonly type: Type }> => message.type === type,
    );
  }

  /** Resolves as soon as it is so after something that the node said or did. */
  async until(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
      });
    }
  }

  wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}

export class DaemonSide {
  readonly folder = mkdtempSync(join(tmpdir(), "dora-node-"));
  readonly socketPath = join(this.folder, "daemon.sock");
  readonly nodes = new Map<string, NodeSide>();
  readonly #plans: Readonly<Record<string, NodePlan>>;
  #server: net.Server | undefined;
  /** What is told instead of `welcome`. */
  refusal: string | undefined;

  private constructor(plans: Readonly<Record<string, NodePlan>>) {
    this.#plans = plans;
    for (const id of Object.keys(plans)) this.nodes.set(id, new NodeSide(id));
  }

  static async start(plans: Readonly<Record<string, NodePlan>>): Promise<DaemonSide> {
    const daemon = new DaemonSide(plans);
    await daemon.listen();
    onTestFinished(async () => {
      await daemon.stop();
      rmSync(daemon.folder, { recursive: true, force: true });
    });
    return daemon;
  }

  node(id: string): NodeSide {
    const side = this.nodes.get(id);
    if (side === undefined) throw new Error(`no node ${id} is planned`);
    return side;
  }

  environment(id: string): Record<string, string> {
    return {
      DORA_NODE_ID: id,
      DORA_DATAFLOW_ID: "flow-id",
      DORA_DAEMON_SOCKET: this.socketPath,
      DORA_NODE_TOKEN: `token of ${id}`,
    };
  }

  async listen(): Promise<void> {
    const server = net.createServer((socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve) => {
      server.listen(this.socketPath, resolve);
    });
  }

  /** As a daemon that was killed: every connection is gone. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    for (const { socket } of this.nodes.values()) socket?.destroy();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  }

  config(id: string): NodeConfig {
    const { inputs = {}, outputs = [], parameters = {}, operators = [] } = this.#plans[id];
    return {
      dataflow: { id: "flow-id", name: "flow" },
      node: { id, name: `Node ${id}` },
      inputs: Object.entries(inputs).map(([input, plan]) => inputConfig(id, input, plan)),
      outputs: outputs.map((output) =>
        typeof output === "string" ? { id: output, format: "arrow" } : output,
      ),
      parameters,
      runDirectory: this.folder,
      linkToken: "the flow's token",
      operators,
    };
  }

  /** The links of a node's outputs to nodes that listen. */
  links(id: string): readonly OutgoingLink[] {
    return [...this.nodes.values()].flatMap((target) => {
      const inboxes = target.of("listening").at(-1)?.inboxes ?? [];
      return this.config(target.id).inputs.flatMap(({ id: input, source }) => {
        if (source.kind !== "link" || source.node !== id) return [];
        const { link, output, transport } = source;
        const inbox = inboxes.find((each) => each.transport === transport.kind);
        if (inbox === undefined) return [];
        const { address } = inbox;
        return [{ link, output, target: { node: target.id, input }, transport, address }];
      });
    });
  }

  /** Once all of the plan listen, each is told where its outputs go, and to begin. */
  #introduce(): void {
    const all = [...this.nodes.values()];
    if (all.some((side) => side.of("listening").length === 0)) return;
    for (const side of all) {
      side.say({ type: "connect", links: this.links(side.id) });
      side.say({ type: "start" });
    }
  }

  #serve(socket: net.Socket): void {
    const reader = new FrameReader();
    let side: NodeSide | undefined;
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      for (const { kind, body } of reader.read(chunk)) {
        if (kind === FRAME_HOPS) side?.hops.push(...readHops(body));
        if (kind === FRAME_JSON) side = this.#take(socket, side, readMessage(body));
      }
      side?.wake();
    });
    socket.once("close", () => {
      if (side?.socket !== socket) return;
      side.isConnected = false;
      side.wake();
    });
  }

  #take(socket: net.Socket, side: NodeSide | undefined, message: NodeMessage): NodeSide {
    if (message.type === "hello") {
      const found = this.node(message.node);
      found.hellos++;
      found.socket = socket;
      found.isConnected = true;
      found.messages.push(message);
      if (this.refusal === undefined) {
        found.say({ type: "welcome", config: this.config(found.id) });
      } else {
        found.say({ type: "refused", message: this.refusal });
      }
      return found;
    }
    if (side === undefined) throw new Error(`${message.type} before hello`);
    side.messages.push(message);
    if (message.type === "listening") this.#introduce();
    // Who closes an output does not come again here.
    if (message.type === "input-closed") side.say(message);
    return side;
  }
}

/** What our own library writes: its type is enough of a check here. */
function readMessage(body: Buffer): NodeMessage {
  const value: unknown = JSON.parse(body.toString());
  if (!isMessage(value)) throw new Error(`no message: ${body.toString()}`);
  return value;
}

function isMessage(value: unknown): value is NodeMessage {
  return typeof value === "object" && value !== null && "type" in value;
}

/** A frame of JSON, or of none. */
export function nonsenseFrame(text: string): Buffer {
  return encodeFrame(FRAME_JSON, Buffer.from(text));
}

function inputConfig(node: string, id: string, plan: string | Partial<InputConfig>): InputConfig {
  const base = { id, queueSize: 10, queuePolicy: "drop_oldest" } as const;
  if (typeof plan !== "string") {
    return { ...base, source: { kind: "logs", level: "info" }, ...plan };
  }
  return { ...base, source: sourceOf(plan, `${node}/${id}`) };
}

/** `node/output`, or `timer:MILLISECONDS`. */
export function sourceOf(plan: string, target: string): InputConfig["source"] {
  if (plan.startsWith("timer:")) {
    return { kind: "timer", intervalNs: Number(plan.slice("timer:".length)) * 1e6 };
  }
  const [node = "", output = ""] = plan.split("/");
  return { kind: "link", link: `${plan}->${target}`, node, output, transport: SOCKET };
}
