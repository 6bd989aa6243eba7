import { Worker } from "node:worker_threads";
import type { OperatorConfig } from "../protocol/node-messages.ts";
import type { OperatorContext } from "./operator.ts";
import {
  type FromOperator,
  type ThreadError,
  type ToOperator,
  toThreadError,
} from "./operator-messages.ts";

/** What a thread says once its operator is loaded. */
export type OperatorSaid = Exclude<FromOperator, { readonly type: "loaded" | "failed" }>;

export interface ThreadListener {
  onSaid(message: OperatorSaid): void;
  /** Its code threw, or the thread ended without being asked; nothing follows. */
  onFailed(error: ThreadError): void;
}

/** An operator's code threw: `stack` is as its thread had it. */
export class OperatorError extends Error {
  readonly operator: string;
  readonly thrown: ThreadError;

  constructor(operator: string, thrown: ThreadError) {
    super(`operator ${operator} failed: ${thrown.message}`);
    this.name = "OperatorError";
    this.operator = operator;
    this.thrown = thrown;
  }
}

/** A worker thread that has loaded one operator. */
export class OperatorThread {
  readonly #worker: Worker;
  readonly #listener: ThreadListener;
  #isOver = false;

  private constructor(worker: Worker, listener: ThreadListener) {
    this.#worker = worker;
    this.#listener = listener;
  }

  /** Errors: `OperatorError` for a module that cannot be loaded, or is no operator. */
  static load(
    operator: OperatorConfig,
    context: Pick<OperatorContext, "node" | "dataflow" | "parameters" | "state">,
    listener: ThreadListener,
  ): Promise<OperatorThread> {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const worker = new Worker(new URL(`./operator-worker.${extension}`, import.meta.url), {
      name: operator.id,
    });
    const thread = new OperatorThread(worker, listener);
    const loaded = Promise.withResolvers<OperatorThread>();
    let isLoaded = false;
    const fail = (error: ThreadError): void => {
      if (thread.#isOver) return;
      thread.#isOver = true;
      if (isLoaded) listener.onFailed(error);
      else loaded.reject(new OperatorError(operator.id, error));
    };
    worker.on("message", (message: FromOperator) => {
      if (message.type === "failed") {
        fail(message.error);
      } else if (message.type === "loaded") {
        isLoaded = true;
        loaded.resolve(thread);
      } else if (!thread.#isOver) {
        thread.#listener.onSaid(message);
      }
    });
    worker.on("error", (error) => fail(toThreadError(error)));
    worker.once("exit", (code) => {
      const message = `its thread ended by itself, with exit code ${code}`;
      fail({ name: "Error", message, stack: message });
    });
    thread.post({ type: "load", operator, context });
    return loaded.promise;
  }

  post(message: ToOperator, transfer: readonly ArrayBuffer[] = []): void {
    if (!this.#isOver) this.#worker.postMessage(message, transfer);
  }

  /** Ends it at once; nothing is said after the call. */
  async terminate(): Promise<void> {
    this.#isOver = true;
    await this.#worker.terminate();
  }
}
