import { AppError } from "../../core/errors.ts";
import { Node } from "../node/node.ts";
import type { InputEvent, NodeEvent } from "../node/events.ts";
import { formatTraceparent, parseTraceparent, type TraceContext } from "../node/trace.ts";
import type { Input, Task, Update, UpdateRequest } from "./dataflow-messages.ts";
import type { ProcessIdentity } from "./process-token.ts";

/** Of inputs that were given out and are not handled yet; one may always be, whatever its size. */
const UNHANDLED_BYTES_MAX = 64 * 1024 * 1024;

/** The stream to the process that a stand-in stands for. */
export interface UpdateSink {
  /** Inputs that may be given out and not be handled yet. */
  readonly window: number;
  /** Resolves once there is room for more, or the stream is gone. */
  write(update: Update, payload?: Uint8Array): Promise<void>;
  /** Another stream took its place. */
  cut(reason: string): void;
  /** The node has finished, or the daemon knows the process no more. */
  ended(): void;
}

interface Unhandled {
  readonly event: InputEvent;
  readonly payloadBytes: number;
  readonly finish: () => void;
}

/**
 * A node of the dataflow whose code runs in a process without our library: takes events in its place and gives them to
 * its stream, and sends what it says. Queues, transports, hops, timers and gauges are those of `Node`.
 *
 *     process ── gRPC, WebSocket ──► stand-in: a Node ── transports ──► other nodes
 *
 * Threads: one. It lives until the process finishes, or the daemon knows it no more; streams may come and go meanwhile.
 */
export class StandIn {
  readonly #node: Node;
  readonly #unhandled = new Map<string, Unhandled>();
  readonly #sent = new Map<string, number>();
  #unhandledBytes = 0;
  #events = 0;
  #latest: InputEvent | undefined;
  #sink: UpdateSink | undefined;
  /** The pump waits for a stream with room. */
  #wake: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  readonly #ended = Promise.withResolvers<void>();
  /** Told to each stream: a later one needs it too. */
  #stop: Update | undefined;

  private constructor(node: Node) {
    this.#node = node;
    void this.#pump();
    // The process has died: to its receivers that is no end, while it may be started again.
    void node.lost.then(() => {
      this.#closing ??= this.#close(() => node.abandon());
    });
  }

  /** Errors: `NODE_REFUSED` where the daemon does not know the process; `DAEMON_UNREACHABLE`. */
  static async open(identity: ProcessIdentity, socketPath: string): Promise<StandIn> {
    const node = await Node.connect({
      environment: {
        DORA_DAEMON_SOCKET: socketPath,
        DORA_DATAFLOW_ID: identity.dataflow,
        DORA_NODE_ID: identity.node,
        DORA_NODE_TOKEN: identity.token,
      },
    });
    return new StandIn(node);
  }

  /** Resolves when it is closed: nothing of it listens any more. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** From now on events go there. What an earlier stream was given and had not handled has failed. */
  async attach(sink: UpdateSink): Promise<void> {
    const earlier = this.#sink;
    this.#sink = sink;
    this.#failUnhandled();
    earlier?.cut("another stream of this node took its place");
    const { dataflow, node, inputs, outputs } = this.#node.config;
    await sink.write({
      welcome: {
        dataflowId: dataflow.id,
        dataflowName: dataflow.name,
        nodeId: node.id,
        nodeName: node.name,
        inputs: inputs.map(({ id }) => id),
        outputs: outputs.map(({ id }) => id),
        parameters: this.#node.parameters,
      },
    });
    if (this.#stop !== undefined) await sink.write(this.#stop);
    this.#wake?.();
  }

  /** The stream is gone; the process may open another one. */
  detach(sink: UpdateSink): void {
    if (this.#sink !== sink) return;
    this.#sink = undefined;
    this.#failUnhandled();
  }

  /**
   * Sends on an output; resolves with the number of messages sent on it, once each link has taken this one.
   *
   * Errors: those of `Node.sendOutput`.
   */
  async send(task: Task): Promise<number> {
    const { output, metadata, traceparent, tracestate } = task;
    const parent = parseTraceparent(traceparent, tracestate) ?? this.#current();
    const options = parent === undefined ? {} : { parent };
    await this.#node.sendOutput(output, await valueOf(task), metadata, options);
    const sent = (this.#sent.get(output) ?? 0) + 1;
    this.#sent.set(output, sent);
    return sent;
  }

  /** Errors: `OUTPUT_UNKNOWN`. */
  closeOutputs(outputs: readonly string[]): Promise<void> {
    return this.#node.closeOutputs(...outputs);
  }

  /** Errors: `REQUEST_INVALID` for an event that was not given out, or is handled already. */
  handled(event: string, isFailed: boolean): void {
    const found = this.#unhandled.get(event);
    if (found === undefined) {
      throw new AppError("REQUEST_INVALID", `there is no event ${event} that is not handled yet`);
    }
    if (isFailed) found.event.fail();
    this.#finish(event, found);
    this.#wake?.();
  }

  log({ level, message, attributes, traceparent }: NonNullable<UpdateRequest["log"]>): void {
    const at = parseTraceparent(traceparent) ?? this.#current();
    this.#node.log.write(level, message, attributes, at);
  }

  /** Brings what was sent to its receivers, within the time that the daemon grants. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close(() => this.#node.close());
    return this.#closing;
  }

  async #close(end: () => Promise<void>): Promise<void> {
    this.#failUnhandled();
    this.#wake?.();
    await end();
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.ended();
    this.#ended.resolve();
  }

  async #pump(): Promise<void> {
    for (;;) {
      await this.#room();
      const event = await this.#node.next();
      if (event === undefined) return;
      const isInput = event.type === "input";
      const finish = isInput ? this.#node.hold() : undefined;
      // The stream may have gone while the event was awaited.
      const sink = await this.#room();
      if (sink === undefined) {
        if (isInput) event.fail();
        finish?.();
        return;
      }
      if (isInput) {
        await this.#give(sink, event, finish ?? (() => {}));
        continue;
      }
      const update = updateOf(event);
      if (event.type === "stop") this.#stop = update;
      await sink.write(update);
    }
  }

  /** A stream that may be given an event; undefined once the node is closed. */
  async #room(): Promise<UpdateSink | undefined> {
    for (;;) {
      const sink = this.#sink;
      if (this.isClosed) return undefined;
      const isOpen =
        this.#unhandled.size === 0 ||
        (this.#unhandled.size < (sink?.window ?? 0) && this.#unhandledBytes < UNHANDLED_BYTES_MAX);
      if (sink !== undefined && isOpen) return sink;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async #give(sink: UpdateSink, event: InputEvent, finish: () => void): Promise<void> {
    this.#events++;
    const id = String(this.#events);
    const payload = event.bytes();
    this.#unhandled.set(id, { event, finish, payloadBytes: payload.length });
    this.#unhandledBytes += payload.length;
    this.#latest = event;
    await sink.write({ input: inputOf(id, event) }, payload);
  }

  /** What a send or a record belongs to that names nothing. */
  #current(): TraceContext | undefined {
    return this.#latest;
  }

  #finish(id: string, { event, payloadBytes, finish }: Unhandled): void {
    this.#unhandled.delete(id);
    this.#unhandledBytes -= payloadBytes;
    finish();
    if (this.#latest === event) this.#latest = [...this.#unhandled.values()].at(-1)?.event;
  }

  #failUnhandled(): void {
    for (const [id, unhandled] of this.#unhandled) {
      unhandled.event.fail();
      this.#finish(id, unhandled);
    }
  }
}

function inputOf(id: string, event: InputEvent): Input {
  return {
    event: id,
    id: event.id,
    payloadBytes: String(event.bytes().length),
    encoding: ENCODINGS[event.encoding],
    metadata: event.metadata,
    traceparent: formatTraceparent(event.traceId, event.spanId, event.traceFlags),
    tracestate: event.traceState,
    sentUnixNs: event.sentUnixNs.toString(),
    topic: event.topic,
  };
}

const ENCODINGS = {
  bytes: "ENCODING_BYTES",
  arrow: "ENCODING_ARROW",
  none: "ENCODING_NONE",
} as const;

function updateOf(event: Exclude<NodeEvent, InputEvent>): Update {
  switch (event.type) {
    case "input-closed":
      return { inputClosed: { id: event.id, reason: event.reason } };
    case "input-recovered":
      return { inputRecovered: { id: event.id } };
    case "stop":
      return { stop: { reason: event.reason, graceMs: event.graceMs } };
    case "parameters": {
      const { set, deleted, parameters } = event;
      return { parametersChanged: { set, deleted, parameters } };
    }
    case "reload":
      return { reload: {} };
    case "node-failed": {
      const { node, inputs, message } = event;
      return { nodeFailed: { node, inputs, message } };
    }
    case "node-restarted":
      return { nodeRestarted: { node: event.node } };
    case "error":
      return { fault: { message: event.message, input: event.input ?? "" } };
  }
}

/** Errors: `FORMAT_MISMATCH` for a payload that is no Arrow stream. */
async function valueOf({ encoding, payload }: Task): Promise<unknown> {
  if (encoding === "ENCODING_BYTES") return payload;
  if (encoding === "ENCODING_NONE") return undefined;
  const { arrowFormat } = await import("../formats/arrow.ts");
  return arrowFormat.decode(payload);
}
