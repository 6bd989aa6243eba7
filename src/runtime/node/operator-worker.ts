/** The thread of one operator: loads its module, and gives it one event after the other. */
import { pathToFileURL } from "node:url";
import { parentPort } from "node:worker_threads";
import { assert } from "../../core/assert.ts";
import { systemClock } from "../../core/clock.ts";
import { InputEvent } from "./events.ts";
import { NodeLog } from "./node-log.ts";
import type {
  OnEvent,
  Operator,
  OperatorAnswer,
  OperatorContext,
  OperatorEvent,
  SendOutput,
} from "./operator.ts";
import {
  type FromOperator,
  localPort,
  type ToOperator,
  toThreadError,
} from "./operator-messages.ts";
import { OperatorOutputs } from "./operator-outputs.ts";

const port = parentPort;
assert(port !== null, "operator-worker.ts runs in a worker");

type Load = Extract<ToOperator, { readonly type: "load" }>;
type Notice = Extract<ToOperator, { readonly type: "notice" }>["event"];

/** The operator, and the event that it handles. */
class OperatorRun {
  readonly #id: string;
  readonly #log: NodeLog;
  readonly #outputs: OperatorOutputs;
  readonly #context: OperatorContext;
  #parameters: OperatorContext["parameters"];
  #operator: Operator | undefined;
  #current: InputEvent | undefined;
  /** Settles when all that was told is handled. */
  #handling: Promise<void> = Promise.resolve();

  constructor({ operator, context }: Load) {
    this.#id = operator.id;
    this.#parameters = context.parameters;
    this.#outputs = new OperatorOutputs(operator, () => this.#current !== undefined, post);
    const log = new NodeLog(
      systemClock,
      () => this.#current,
      (message) => {
        if (message.type === "log") post({ type: "log", records: message.records });
      },
    );
    const parameters = (): OperatorContext["parameters"] => this.#parameters;
    this.#log = log;
    this.#context = {
      ...context,
      id: operator.id,
      log,
      get parameters() {
        return parameters();
      },
    };
  }

  async load(source: string): Promise<void> {
    const module: unknown = await import(pathToFileURL(source).href);
    this.#operator = makeOperator(module, this.#context, source);
    post({ type: "loaded" });
  }

  take(message: Exclude<ToOperator, Load>): void {
    switch (message.type) {
      case "event":
        this.#handleNext(() => this.#handleInput(message));
        return;
      case "notice":
        this.#handleNext(() => this.#handleNotice(message.event));
        return;
      case "state":
        this.#handleNext(() => this.#tellState());
        return;
      case "sent":
        this.#outputs.settle(message);
    }
  }

  #handleNext(task: () => Promise<void>): void {
    this.#handling = this.#handling.then(task).catch(fail);
  }

  async #handleInput(input: Extract<ToOperator, { readonly type: "event" }>): Promise<void> {
    const { id, message, startUnixNs } = input;
    const event = new InputEvent(localPort(this.#id, id), message, startUnixNs, input);
    this.#current = event;
    const answer = await this.#handle(event);
    this.#log.flush();
    this.#current = undefined;
    post({ type: "done", isFailed: event.isFailed, answer });
  }

  async #handleNotice(event: Notice): Promise<void> {
    if (event.type === "parameters") this.#parameters = event.parameters;
    const isOfInput = event.type === "input-closed" || event.type === "input-recovered";
    const own = isOfInput ? { ...event, id: localPort(this.#id, event.id) } : event;
    const answer = await this.#handle(own);
    this.#log.flush();
    if (event.type === "stop") post({ type: "ended" });
    else if (answer !== "continue") post({ type: "done", isFailed: false, answer });
  }

  /** A state that cannot be had, or copied, ends the reload and nothing else. */
  async #tellState(): Promise<void> {
    try {
      post({ type: "state", state: await this.#operator?.state?.() });
    } catch (error) {
      post({ type: "state", state: undefined, error: toThreadError(error) });
    }
  }

  /** Errors: what the operator throws; `TypeError` for an answer that is none. */
  async #handle(event: OperatorEvent): Promise<OperatorAnswer> {
    const answer: unknown = await this.#operator?.onEvent(event, this.#send, this.#context);
    if (answer === undefined) return "continue";
    if (answer === "continue" || answer === "stop" || answer === "stop-all") return answer;
    const said = typeof answer === "string" ? JSON.stringify(answer) : `a ${typeof answer}`;
    throw new TypeError(
      `onEvent of operator ${this.#id} returned ${said}: return nothing, "continue", "stop" or "stop-all"`,
    );
  }

  readonly #send: SendOutput = (id, value, metadata) => this.#outputs.send(id, value, metadata);
}

/** Errors: `TypeError` for a module that exports no operator; what its class throws. */
function makeOperator(module: unknown, context: OperatorContext, source: string): Operator {
  const exported = isObject(module) ? module["default"] : undefined;
  if (isFunction(exported)) {
    const prototype: unknown = exported.prototype;
    if (!isOperator(prototype)) return { onEvent: exported };
    const made: unknown = Reflect.construct(exported, [context]);
    if (isOperator(made)) return made;
  }
  if (isOperator(exported)) return exported;
  throw new TypeError(
    `${source} exports no operator: give it a default export, a class with a method onEvent or a function (event, output)`,
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isFunction(value: unknown): value is OnEvent & { readonly prototype?: unknown } {
  return typeof value === "function";
}

function isOperator(value: unknown): value is Operator {
  return isObject(value) && typeof value["onEvent"] === "function";
}

function post(message: FromOperator, transfer: readonly ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

function fail(error: unknown): void {
  post({ type: "failed", error: toThreadError(error) });
}

let run: OperatorRun | undefined;
port.on("message", (message: ToOperator) => {
  if (message.type !== "load") {
    run?.take(message);
    return;
  }
  run = new OperatorRun(message);
  run.load(message.operator.source).catch(fail);
});
// A promise that nobody awaits, or a timer's callback: the operator has failed as by its handler.
process.on("uncaughtException", fail);
