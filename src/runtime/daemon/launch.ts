import type { Dataflow, DataflowNode } from "../dataflow/dataflow.ts";
import type { NodeEnd } from "../protocol/status.ts";
import type { BuildEvent, BuildFailure } from "./build.ts";
import { runBuilds } from "./build.ts";
import type { CommandResult, NodeCommand } from "./node-command.ts";
import { findCommand } from "./node-command.ts";
import type { NodeEnvironmentOptions } from "./node-environment.ts";
import { mergeLayers, nodeEnvironment } from "./node-environment.ts";
import type { RunContext } from "./run-context.ts";

export interface LaunchOptions {
  readonly id: string;
  readonly name: string;
  /** Of the dataflow file. */
  readonly folder: string;
  readonly dataflow: Dataflow;
  /** Of who asked for the start. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What is run for the nodes of a dataflow, and in which environment. */
export class Launch {
  readonly #options: LaunchOptions;
  readonly #context: Omit<RunContext, "record" | "telemetry" | "emit">;

  constructor(options: LaunchOptions, context: RunContext) {
    this.#options = options;
    this.#context = context;
  }

  /** Shape: what failed, by node. */
  build(
    signal: AbortSignal,
    onEvent: (event: BuildEvent) => void,
  ): Promise<ReadonlyMap<string, BuildFailure>> {
    const { folder, dataflow } = this.#options;
    return runBuilds({
      ...this.#context,
      nodes: dataflow.nodes,
      folder,
      environmentOf: (node) => this.#userEnvironment(node),
      signal,
      onEvent,
    });
  }

  findCommand(node: DataflowNode): CommandResult {
    return findCommand(node, this.#options.folder, this.#userEnvironment(node));
  }

  /** Of all nodes before any starts, so that all that is wrong is told at once. Dynamic ones have none. */
  findCommands(): {
    readonly commands: ReadonlyMap<string, NodeCommand>;
    readonly failures: ReadonlyMap<string, Omit<NodeEnd, "atUnixMs">>;
  } {
    const commands = new Map<string, NodeCommand>();
    const failures = new Map<string, Omit<NodeEnd, "atUnixMs">>();
    for (const node of this.#options.dataflow.nodes) {
      if (node.source.kind === "dynamic") continue;
      const result = this.findCommand(node);
      if (result.status === "found") {
        commands.set(node.id, result.command);
        continue;
      }
      const message = `cannot be started: ${result.message}`;
      failures.set(node.id, { exitCode: null, signal: null, message, lastStderr: [] });
    }
    return { commands, failures };
  }

  environmentOf(
    node: DataflowNode,
    { isPython }: NodeCommand,
    process: Pick<NodeEnvironmentOptions, "token" | "restarts" | "carriers">,
  ): Record<string, string> {
    const { id, name } = this.#options;
    return nodeEnvironment({
      layers: [this.#userEnvironment(node)],
      dataflow: { id, name },
      node: { id: node.id, name: node.name },
      socketPath: this.#context.socketPath,
      ...process,
      gateway: this.#context.gateway.environmentOf({
        token: process.token,
        dataflow: id,
        node: node.id,
      }),
      otlpEndpoint: this.#context.otlpEndpoint,
      isPython,
    });
  }

  #userEnvironment(node: DataflowNode): Record<string, string> {
    const { dataflow, environment } = this.#options;
    return mergeLayers([
      this.#context.environment,
      environment,
      dataflow.environment,
      node.environment,
    ]);
  }
}
