/** The daemon's side of its protocol over a real WebSocket, without any process of a node. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { AppError } from "../../../src/core/errors.ts";
import { CoordinatorMessageSchema } from "../../../src/runtime/daemon/daemon-request-schema.ts";
import type {
  CoordinatorToDaemon,
  DaemonRequest,
  DaemonToCoordinator,
} from "../../../src/runtime/protocol/daemon-messages.ts";
import type {
  DataflowState,
  DataflowStatus,
  NodeStatus,
  RuntimeEvent,
} from "../../../src/runtime/protocol/status.ts";

export const NO_RATES: NodeStatus["rates"] = {
  inputPerSecond: 0,
  outputPerSecond: 0,
  inputBytesPerSecond: 0,
  outputBytesPerSecond: 0,
  latencyP50Ns: null,
  latencyP99Ns: null,
  handlingP50Ns: null,
  queued: 0,
  dropped: 0,
  errors: 0,
};

export function nodeStatus(id: string, more: Partial<NodeStatus> = {}): NodeStatus {
  return {
    id,
    name: id,
    state: "running",
    pid: 4711,
    restarts: 0,
    rates: NO_RATES,
    cpuCores: 0.1,
    memoryBytes: 1024,
    connections: 0,
    ...more,
  };
}

export function dataflowStatus(more: Partial<DataflowStatus> = {}): DataflowStatus {
  return {
    id: "01900000-0000-7000-8000-000000000001",
    name: "flow",
    file: "/flows/flow.yml",
    state: "running",
    startedAtUnixMs: 1_736_282_046_000,
    endedAtUnixMs: null,
    machine: "robot",
    nodes: [nodeStatus("camera"), nodeStatus("detector", { name: "Detector" })],
    links: [],
    ...more,
  };
}

export interface TestDaemonOptions {
  readonly machine?: string;
  readonly pid?: number;
  readonly protocol?: number;
  readonly token?: string;
  readonly dataflows?: readonly DataflowStatus[];
  /** What it answers; by default it takes everything, and starts what is to be started. */
  readonly handle?: (request: DaemonRequest, daemon: TestDaemon) => unknown;
}

export class TestDaemon {
  readonly requests: DaemonRequest[] = [];
  readonly running = new Map<string, DataflowStatus>();
  readonly machine: string;
  readonly #options: TestDaemonOptions;
  readonly #socket: WebSocket;
  readonly welcome = Promise.withResolvers<CoordinatorToDaemon>();

  private constructor(url: string, options: TestDaemonOptions) {
    this.#options = options;
    this.machine = options.machine ?? "robot";
    for (const status of options.dataflows ?? []) this.running.set(status.id, status);
    const { token } = options;
    this.#socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/v1/daemon`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    this.#socket.on("open", () =>
      this.say({
        type: "hello",
        protocol: options.protocol ?? 1,
        machine: this.machine,
        version: "0.1.0",
        pid: options.pid ?? 1,
        dataflows: [...this.running.values()],
      }),
    );
    this.#socket.on("message", (data: Buffer) => {
      const message = CoordinatorMessageSchema.parse(JSON.parse(data.toString()));
      if (message.type === "request") void this.#answer(message.id, message.request);
      else this.welcome.resolve(message);
    });
    this.#socket.on("error", (error) => this.welcome.reject(error));
  }

  static async connect(url: string, options: TestDaemonOptions = {}): Promise<TestDaemon> {
    const daemon = new TestDaemon(url, options);
    await daemon.welcome.promise;
    return daemon;
  }

  say(message: DaemonToCoordinator): void {
    this.#socket.send(JSON.stringify(message));
  }

  sayText(text: string): void {
    this.#socket.send(text);
  }

  event(event: RuntimeEvent): void {
    this.say({ type: "event", event });
  }

  /** Sets the state of a dataflow and tells of it as a daemon does. */
  setState(id: string, state: DataflowState): void {
    const isOver = ["stopped", "completed", "failed"].includes(state);
    const before = this.running.get(id) ?? dataflowStatus({ id });
    this.running.set(id, {
      ...before,
      state,
      endedAtUnixMs: isOver ? 1_736_282_047_000 : null,
      nodes: isOver ? before.nodes.map((node) => ({ ...node, state, pid: null })) : before.nodes,
    });
    this.event({ type: "dataflow", dataflow: id, state, atUnixMs: 1_736_282_047_000 });
    this.status();
  }

  status(): void {
    this.say({ type: "status", dataflows: [...this.running.values()] });
  }

  get closed(): Promise<unknown> {
    if (this.#socket.readyState === WebSocket.CLOSED) return Promise.resolve();
    return once(this.#socket, "close");
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    this.#socket.close();
    await once(this.#socket, "close");
  }

  async #answer(id: number, request: DaemonRequest): Promise<void> {
    this.requests.push(request);
    try {
      const handle = this.#options.handle ?? takeAll;
      this.say({ type: "reply", id, result: (await handle(request, this)) ?? null });
    } catch (error) {
      const code = error instanceof AppError ? error.code : "INTERNAL";
      this.say({ type: "reply-error", id, code, message: String(error) });
    }
  }
}

export function takeAll(request: DaemonRequest, daemon: TestDaemon): unknown {
  if (request.method === "start") {
    const status = dataflowStatus({
      id: request.dataflow,
      name: request.name,
      file: request.file,
      machine: daemon.machine,
    });
    daemon.running.set(status.id, status);
    return status;
  }
  if (request.method === "stop") daemon.setState(request.dataflow, "stopped");
  return undefined;
}
