import type { NodeConfig, NodeMessage } from "../protocol/node-messages.ts";
import type { NodeCommand } from "./node-command.ts";

/** The dataflow of a node, as the node needs it. */
export interface NodeRunOwner<Node> {
  readonly folder: string;
  readonly dataflow: { readonly id: string; readonly name: string };
  configOf(node: Node): NodeConfig;
  environmentOf(node: Node, command: NodeCommand, token: string): Record<string, string>;
  /** Whether a node that ended well has something left to do, under `restart_policy: always`. */
  hasWorkLeft(node: Node): boolean;
  onState(node: Node): void;
  onListening(node: Node): void;
  onMessage(node: Node, message: LinkMessage): void;
  /** Its process ended, or a dynamic node's connection; it may come again where the state says so. */
  onGone(node: Node): void;
}

/** What a node says of its links. */
export type LinkMessage = Extract<
  NodeMessage,
  { readonly type: "input-closed" | "link-failed" | "outputs-closed" | "finished" }
>;
