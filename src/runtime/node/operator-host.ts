/**
 * The process of a node whose operators are JavaScript or TypeScript: a thread for each, and this one, which has
 * the node's links and queues. A daemon starts it. Source: docs/operators.md
 */
import type { NodeConfig } from "../protocol/node-messages.ts";
import type { NodeEvent } from "./events.ts";
import { HostedOperator } from "./hosted-operator.ts";
import { Node } from "./node.ts";
import type { OperatorAnswer } from "./operator.ts";
import { OperatorError } from "./operator-thread.ts";

/** Gives each operator what is meant for it, until the last of them ends. */
class OperatorHost {
  #operators: readonly HostedOperator[] = [];
  #node: Node | undefined;
  readonly #over = Promise.withResolvers<void>();

  /** Errors: `OperatorError` */
  async load(config: NodeConfig): Promise<void> {
    this.#operators = config.operators.map(
      (operator) =>
        new HostedOperator(operator, {
          onEnded: (ended, answer) => void this.#end(ended, answer).catch(this.#over.reject),
          onFailed: this.#over.reject,
        }),
    );
    await Promise.all(this.#operators.map((operator) => operator.load(config)));
  }

  /** Errors: `OperatorError` of the operator that fails first. */
  async run(node: Node): Promise<void> {
    this.#node = node;
    for (const operator of this.#operators) operator.attach(node);
    void this.#give(node).catch(this.#over.reject);
    await this.#over.promise;
    await node.close();
  }

  /** Until `stop`, which each operator answers by its end. */
  async #give(node: Node): Promise<void> {
    for await (const event of node) {
      for (const operator of this.#operators) {
        if (!operator.isEnded && isFor(operator, event)) operator.take(event, node);
      }
    }
  }

  async #end(operator: HostedOperator, answer: Exclude<OperatorAnswer, "continue">): Promise<void> {
    if (operator.isEnded) return;
    await operator.terminate();
    const isLast = this.#operators.every(({ isEnded }) => isEnded);
    if (isLast || answer === "stop-all") this.#over.resolve();
    else await this.#node?.closeOutputs(...operator.config.outputs);
  }
}

/** What is about no input is told to all. */
function isFor({ config }: HostedOperator, event: NodeEvent): boolean {
  switch (event.type) {
    case "input":
    case "input-closed":
    case "input-recovered":
      return config.inputs.includes(event.id);
    case "reload":
      return event.operator === undefined || event.operator === config.id;
    case "error":
    case "node-failed":
    case "node-restarted":
    case "parameters":
    case "stop":
      return true;
  }
}

function errorStack(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

const host = new OperatorHost();
try {
  await host.run(await Node.connect({ prepare: (config) => host.load(config) }));
  // Threads of operators that did not end by themselves.
  process.exit();
} catch (error) {
  const stack = error instanceof OperatorError ? error.thrown.stack : errorStack(error);
  process.stderr.write(`${stack}\n`);
  process.exit(1);
}
