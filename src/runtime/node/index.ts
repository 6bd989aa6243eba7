/** The node library: `import { Node } from "dora-dataflow/node"`. */
export { AppError } from "../../core/errors.ts";
export type { Parameters, ParameterValue } from "../protocol/node-messages.ts";
export type { InputClosedEvent, InputEvent, InputRecoveredEvent, NodeEvent } from "./events.ts";
export { type ConnectOptions, Node, type NodeInfo, type SendOptions } from "./node.ts";
export type { LogAttributes, NodeLog } from "./node-log.ts";
export type { TraceContext } from "./trace.ts";
