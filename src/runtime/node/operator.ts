/** Operators: `import type { Operator } from "dora-dataflow/operator"`. Docs: docs/operators.md. */
import type { Parameters } from "../protocol/node-messages.ts";
import type { NodeEvent } from "./events.ts";
import type { NodeLog } from "./node-log.ts";

export { AppError } from "../../core/errors.ts";
export type { Parameters, ParameterValue } from "../protocol/node-messages.ts";
export type { InputClosedEvent, InputEvent, InputRecoveredEvent } from "./events.ts";
export type { LogAttributes, NodeLog } from "./node-log.ts";

/** What an operator is told: a node's events, but that inputs have the operator's own names. */
export type OperatorEvent = Exclude<NodeEvent, { readonly type: "reload" }>;

/**
 * Sends on an output of the operator, by the operator's own name for it. Resolves when each link has taken it.
 *
 * Pitfalls: the memory of `value` is handed over with the message: it is empty after the call, unless it is shared.
 * Errors:   those of `Node.sendOutput`.
 */
export type SendOutput = (id: string, value?: unknown, metadata?: Parameters) => Promise<void>;

/** `stop` ends the operator and its outputs, `stop-all` the whole node. */
export type OperatorAnswer = "continue" | "stop" | "stop-all";

export interface OperatorContext {
  /** The operator's. */
  readonly id: string;
  readonly node: { readonly id: string; readonly name: string };
  readonly dataflow: { readonly id: string; readonly name: string };
  /** The node's, as they are now. */
  readonly parameters: Parameters;
  /** Writes to the dataflow's log, with the trace of the message that is being handled. */
  readonly log: NodeLog;
  /** After a reload what the old instance's `state` gave; undefined at the start. */
  readonly state: unknown;
}

/** A default export may be this, without a class. */
export type OnEvent = (
  event: OperatorEvent,
  output: SendOutput,
  context: OperatorContext,
) => OperatorAnswer | undefined | void | Promise<OperatorAnswer | undefined | void>;

/** A default export: an object, or a class of which one is made with the context. Its events come one at a time. */
export interface Operator {
  onEvent: OnEvent;
  /** What is to outlast a reload: anything that can be copied between threads. */
  state?(): unknown;
}
