/** The states of a node, everywhere: API, command line, events, log records. */
export const NODE_STATES = [
  "building",
  "starting",
  /** Its process runs, and it takes events. */
  "running",
  "paused",
  /** It failed or ended, and waits to be started again. */
  "restarting",
  "stopping",
  /** It ended by itself, with exit code 0. */
  "completed",
  /** It was stopped. */
  "stopped",
  "failed",
] as const;
export type NodeState = (typeof NODE_STATES)[number];

/** The states of a dataflow: of its nodes together. */
export type DataflowState = NodeState;

/** How a node's process ended. */
export interface NodeEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** In words, such as `exit code 1` or `killed by SIGSEGV`. */
  readonly message: string;
  /** The last lines that it wrote to standard error. */
  readonly lastStderr: readonly string[];
  readonly atUnixMs: number;
}

/** Over the last `RATE_WINDOW_MS`, but for what says that it counts since the start. */
export interface NodeRates {
  readonly inputPerSecond: number;
  readonly outputPerSecond: number;
  readonly inputBytesPerSecond: number;
  readonly outputBytesPerSecond: number;
  /** From send to the start of the handler: median and 99th percentile; null where nothing came. */
  readonly latencyP50Ns: number | null;
  readonly latencyP99Ns: number | null;
  /** In the handler, 50th percentile. */
  readonly handlingP50Ns: number | null;
  readonly queued: number;
  /** Since the start. */
  readonly dropped: number;
  /** Since the start: records of level ERROR and above, failed sends and failed handlers. */
  readonly errors: number;
}

export const RATE_WINDOW_MS = 10_000;

export interface NodeStatus {
  readonly id: string;
  /** Its display name: `name` of the file, else the id. */
  readonly name: string;
  readonly state: NodeState;
  readonly pid: number | null;
  readonly restarts: number;
  readonly rates: NodeRates;
  /** Of the process: 1 is a whole core. */
  readonly cpuCores: number | null;
  readonly memoryBytes: number | null;
  readonly connections: number;
  readonly end?: NodeEnd;
}

export interface DataflowStatus {
  /** UUID v7. */
  readonly id: string;
  readonly name: string;
  readonly file: string;
  readonly state: DataflowState;
  readonly startedAtUnixMs: number;
  readonly endedAtUnixMs: number | null;
  readonly machine: string;
  readonly nodes: readonly NodeStatus[];
  readonly links: readonly LinkStatus[];
}

export interface LinkStatus {
  readonly link: string;
  readonly source: { readonly node: string; readonly output: string };
  readonly target: { readonly node: string; readonly input: string };
  readonly transport: string;
  readonly messagesPerSecond: number;
}

/** What a start, a build or a running dataflow tells as it goes; `dora start` shows it. */
export type RuntimeEvent = { readonly atUnixMs: number; readonly dataflow: string } & (
  | {
      readonly type: "build";
      readonly node: string;
      readonly linesDone: number;
      readonly linesTotal: number;
      /** The command that runs; "" before the first and after the last. */
      readonly command: string;
      readonly state: "building" | "done" | "failed";
      /** The last of what a failed command wrote to standard error. */
      readonly lastStderr?: readonly string[];
      /** What it lacks, where its output says so, and the command that brings it; "" where none is known. */
      readonly missing?: { readonly name: string; readonly command: string };
      readonly elapsedMs: number;
    }
  | {
      readonly type: "node";
      readonly node: string;
      readonly state: NodeState;
      /** Absent of one without a process. */
      readonly pid?: number;
      readonly end?: NodeEnd;
    }
  | {
      readonly type: "link";
      readonly link: string;
      readonly state: "connecting" | "connected" | "failed";
      readonly elapsedMs: number;
      readonly message?: string;
    }
  | { readonly type: "dataflow"; readonly state: DataflowState; readonly failure?: FailureSummary }
);

/** What a failed dataflow says at its end. */
export interface FailureSummary {
  /** The node that failed first. */
  readonly node: string;
  readonly end: NodeEnd;
  /** Nodes that ended because of it. */
  readonly tookDown: readonly string[];
}
