import type { Parameters } from "./node-messages.ts";
import type { DataflowStatus, RuntimeEvent } from "./status.ts";

/**
 * What a daemon and its coordinator say to each other: JSON texts over one WebSocket that the daemon
 * opens at `DAEMON_PATH` of the coordinator's API, with the API's bearer token.
 *
 *     daemon       hello ─────────► coordinator    version, machine, and what it runs already
 *     daemon   ◄───────── request  coordinator    each has an id, and gets one reply
 *     daemon       reply ─────────► coordinator
 *     daemon       event, status ─► coordinator    as things happen; a status each second
 */
export const DAEMON_PROTOCOL_VERSION = 1;
export const DAEMON_PATH = "/api/v1/daemon";

export type DaemonToCoordinator =
  | {
      readonly type: "hello";
      readonly protocol: number;
      readonly machine: string;
      readonly version: string;
      readonly pid: number;
      readonly dataflows: readonly DataflowStatus[];
    }
  | { readonly type: "reply"; readonly id: number; readonly result: unknown }
  | {
      readonly type: "reply-error";
      readonly id: number;
      readonly code: string;
      readonly message: string;
    }
  | { readonly type: "event"; readonly event: RuntimeEvent }
  | { readonly type: "status"; readonly dataflows: readonly DataflowStatus[] };

export type CoordinatorToDaemon =
  | { readonly type: "welcome"; readonly machine: string }
  | { readonly type: "refused"; readonly message: string }
  | { readonly type: "request"; readonly id: number; readonly request: DaemonRequest };

/** `dataflow` is the dataflow's id. */
export type DaemonRequest =
  | {
      readonly method: "start";
      readonly dataflow: string;
      readonly name: string;
      /** The file's text, which the daemon parses anew, and where it stands: paths in it start there. */
      readonly text: string;
      readonly file: string;
      readonly environment: Readonly<Record<string, string>>;
      /** Whether the nodes' `build` lines run first. */
      readonly build: boolean;
    }
  | {
      readonly method: "build";
      readonly dataflow: string;
      readonly text: string;
      readonly file: string;
      readonly environment: Readonly<Record<string, string>>;
    }
  | {
      readonly method: "stop";
      readonly dataflow: string;
      readonly graceMs?: number;
      readonly force: boolean;
    }
  | { readonly method: "pause" | "resume"; readonly dataflow: string; readonly node?: string }
  | {
      readonly method: "restart-node" | "stop-node" | "reload-node";
      readonly dataflow: string;
      readonly node: string;
    }
  | {
      readonly method: "set-parameters";
      readonly dataflow: string;
      readonly node: string;
      readonly set: Parameters;
      readonly deleted: readonly string[];
    }
  | {
      readonly method: "connect" | "disconnect";
      readonly dataflow: string;
      readonly source: { readonly node: string; readonly output: string };
      readonly target: { readonly node: string; readonly input: string };
    }
  | {
      readonly method: "set-data-format";
      readonly dataflow: string;
      readonly node: string;
      readonly format: string;
    };
