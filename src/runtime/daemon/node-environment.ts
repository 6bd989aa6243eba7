import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { CARRIERS } from "./start-spans.ts";

export interface NodeEnvironmentOptions {
  /** Lowest first: of the daemon and the command, of the file, of the node. */
  readonly layers: readonly Readonly<Record<string, string | undefined>>[];
  readonly dataflow: { readonly id: string; readonly name: string };
  readonly node: { readonly id: string; readonly name: string };
  readonly socketPath: string;
  readonly token: string;
  /** How often it was started again. */
  readonly restarts: number;
  /** Where nodes of other languages connect. */
  readonly gateway: Readonly<Record<string, string>>;
  /** Of the trace that the process is started in. */
  readonly carriers: Readonly<Record<string, string>>;
  readonly otlpEndpoint: string;
  readonly isPython: boolean;
}

/** Holds the Python module `dora`. */
const PYTHON_FOLDER = fileURLToPath(new URL("../python", import.meta.url));

/**
 * Variables of a node's process. What the node protocol needs is always ours; what an OpenTelemetry SDK
 * reads stays as the user set it.
 *
 * Source: docs/node-protocol.md "Environment of a node's process"
 */
export function nodeEnvironment(options: NodeEnvironmentOptions): Record<string, string> {
  const { dataflow, node } = options;
  const user = mergeLayers(options.layers);
  // The daemon's own would be about another trace.
  for (const name of CARRIERS) delete user[name];
  const attributes = resourceAttributes({
    "dora.dataflow.id": dataflow.id,
    "dora.dataflow.name": dataflow.name,
    "dora.node.id": node.id,
    "dora.node.name": node.name,
  });
  const userAttributes = user["OTEL_RESOURCE_ATTRIBUTES"];
  return {
    OTEL_SERVICE_NAME: node.id,
    OTEL_EXPORTER_OTLP_ENDPOINT: options.otlpEndpoint,
    ...user,
    // Of a name that comes twice the last one counts: the user's.
    OTEL_RESOURCE_ATTRIBUTES:
      userAttributes === undefined ? attributes : `${attributes},${userAttributes}`,
    ...(options.isPython ? { PYTHONPATH: pythonPath(user["PYTHONPATH"]) } : {}),
    DORA_NODE_ID: node.id,
    DORA_DATAFLOW_ID: dataflow.id,
    DORA_DAEMON_SOCKET: options.socketPath,
    DORA_NODE_TOKEN: options.token,
    DORA_RESTART_COUNT: String(options.restarts),
    ...options.gateway,
    ...options.carriers,
  };
}

export function mergeLayers(
  layers: readonly Readonly<Record<string, string | undefined>>[],
): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer)) {
      if (value !== undefined) merged[name] = value;
    }
  }
  return merged;
}

/** `key=value` pairs; commas, `=` and what is not ASCII are percent-encoded, as the specification of resources asks. */
function resourceAttributes(attributes: Readonly<Record<string, string>>): string {
  return Object.entries(attributes)
    .map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
    .join(",");
}

function pythonPath(user: string | undefined): string {
  const ours = existsSync(PYTHON_FOLDER) ? [PYTHON_FOLDER] : [];
  return [...ours, ...(user === undefined || user === "" ? [] : [user])].join(delimiter);
}
