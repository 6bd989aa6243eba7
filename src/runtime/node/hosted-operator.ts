import type { NodeConfig, OperatorConfig } from "../protocol/node-messages.ts";
import type { InputEvent, NodeEvent } from "./events.ts";
import type { Node } from "./node.ts";
import type { OperatorAnswer, OperatorContext, OperatorEvent } from "./operator.ts";
import {
  type FromOperator,
  fromThreadError,
  handOver,
  type ThreadError,
  toThreadError,
} from "./operator-messages.ts";
import { OperatorError, type OperatorSaid, OperatorThread } from "./operator-thread.ts";
import { EncodedElsewhere } from "./value-encoding.ts";

type Notice = Exclude<OperatorEvent, InputEvent>;
type Context = Pick<OperatorContext, "node" | "dataflow" | "parameters" | "state">;
type Send = Extract<FromOperator, { readonly type: "send" }>;

export interface OperatorOwner {
  /** It goes on no more: it was told to stop, or asks for its own end or the node's. */
  onEnded(operator: HostedOperator, answer: Exclude<OperatorAnswer, "continue">): void;
  onFailed(error: OperatorError): void;
}

/** One operator of a node, as the node's own thread sees it: its thread, and the message that it handles. */
export class HostedOperator {
  readonly config: OperatorConfig;
  readonly #owner: OperatorOwner;
  #thread: OperatorThread | undefined;
  #node: Node | undefined;
  /** Said before there was a node. */
  #early: OperatorSaid[] = [];
  #current: { readonly event: InputEvent; readonly release: () => void } | undefined;
  /** While it is loaded again, what it is told waits. */
  #waiting: Notice[] | undefined;
  #whenIdle: (() => void) | undefined;
  #whenState: PromiseWithResolvers<unknown> | undefined;
  isEnded = false;

  constructor(config: OperatorConfig, owner: OperatorOwner) {
    this.config = config;
    this.#owner = owner;
  }

  /** Errors: `OperatorError` for a module that cannot be loaded, or is no operator. */
  async load({ node, dataflow, parameters }: NodeConfig): Promise<void> {
    this.#thread = await this.#startThread({ node, dataflow, parameters, state: undefined });
  }

  /** What it says reaches the node from now on. */
  attach(node: Node): void {
    this.#node = node;
    for (const message of this.#early.splice(0)) this.#take(message, node);
  }

  /** Gives it an event; while it handles a message its inputs wait, and nothing else does. */
  take(event: NodeEvent, node: Node): void {
    if (event.type === "input") this.#handle(event, node);
    else if (event.type === "reload") void this.#reload(node);
    else this.#tell(event);
  }

  /** Ends it at once. */
  async terminate(): Promise<void> {
    this.isEnded = true;
    this.#release(false);
    await this.#thread?.terminate();
  }

  #handle(event: InputEvent, node: Node): void {
    const finish = node.hold();
    const resume = node.holdInputs(this.config.inputs);
    const release = (): void => {
      finish();
      resume();
    };
    this.#current = { event, release };
    const { recycle: _, payload, ...message } = event.message;
    const { bytes, transfer } = handOver(payload, false);
    const { id, startUnixNs, traceId, spanId } = event;
    const span = { startUnixNs, traceId, spanId };
    this.#thread?.post(
      { type: "event", id, message: { ...message, payload: bytes }, ...span },
      transfer,
    );
  }

  #tell(event: Notice): void {
    if (this.#waiting === undefined) this.#thread?.post({ type: "notice", event });
    else this.#waiting.push(event);
  }

  /** Loads its module again, in a new thread, once it has handled what it handles. */
  async #reload(node: Node): Promise<void> {
    if (this.#waiting !== undefined) return;
    const { id, inputs } = this.config;
    const resume = node.holdInputs(inputs);
    this.#waiting = [];
    try {
      if (this.#current !== undefined) {
        await new Promise<void>((resolve) => (this.#whenIdle = resolve));
      }
      const old = this.#thread;
      const state = await this.#askState();
      const { dataflow, node: self } = node.config;
      const { parameters } = node;
      this.#thread = await this.#startThread({ node: self, dataflow, parameters, state });
      void old?.terminate();
      node.log.info(`operator ${id} was loaded again`, { "dora.operator.id": id });
    } catch (error) {
      // A slip of the pen must not end a dataflow.
      node.log.error(`operator ${id} could not be loaded again, the old one goes on`, {
        "dora.operator.id": id,
        error,
      });
    } finally {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      for (const event of waiting) this.#tell(event);
      resume();
    }
  }

  #startThread(context: Context): Promise<OperatorThread> {
    return OperatorThread.load(this.config, context, {
      onSaid: (message) => {
        if (this.#node === undefined) this.#early.push(message);
        else this.#take(message, this.#node);
      },
      onFailed: (error) => this.#fail(error),
    });
  }

  #askState(): Promise<unknown> {
    const asked = Promise.withResolvers<unknown>();
    this.#whenState = asked;
    this.#thread?.post({ type: "state" });
    return asked.promise;
  }

  #take(message: OperatorSaid, node: Node): void {
    switch (message.type) {
      case "send":
        void this.#send(message, node);
        return;
      case "done":
        this.#release(message.isFailed);
        if (message.answer !== "continue") this.#owner.onEnded(this, message.answer);
        return;
      case "ended":
        this.#owner.onEnded(this, "stop");
        return;
      case "log":
        node.log.pass(message.records);
        return;
      case "state":
        if (message.error === undefined) this.#whenState?.resolve(message.state);
        else this.#whenState?.reject(fromThreadError(message.error));
    }
  }

  async #send(message: Send, node: Node): Promise<void> {
    const { send, output, metadata, isWithinEvent } = message;
    const parent = isWithinEvent ? this.#current?.event : undefined;
    let error: ThreadError | undefined;
    let isShared = false;
    try {
      isShared = node.linkCount(output) > 1;
      // Of several receivers none may take the memory from the others.
      const payload = isShared
        ? handOver(message.message.payload, true).bytes
        : message.message.payload;
      const value = new EncodedElsewhere({ ...message.message, payload });
      await node.sendOutput(output, value, metadata, parent === undefined ? {} : { parent });
    } catch (thrown) {
      error = toThreadError(thrown);
    }
    this.#thread?.post({ type: "sent", send, isShared, ...(error === undefined ? {} : { error }) });
  }

  #release(isFailed: boolean): void {
    const current = this.#current;
    this.#current = undefined;
    if (isFailed) current?.event.fail();
    current?.release();
    this.#whenIdle?.();
    this.#whenIdle = undefined;
  }

  #fail(thrown: ThreadError): void {
    const error = new OperatorError(this.config.id, thrown);
    this.#node?.log.write(
      "error",
      error.message,
      {
        "dora.operator.id": this.config.id,
        "exception.type": thrown.name,
        "exception.message": thrown.message,
        "exception.stacktrace": thrown.stack,
      },
      this.#current?.event,
    );
    this.#release(true);
    this.#owner.onFailed(error);
  }
}
