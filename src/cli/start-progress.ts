/** What is known of a start or a build: taken from events one by one, shown by `render-start.ts`. */
import type { DataflowAnswer } from "../runtime/coordinator/coordinator.ts";
import { isEnded } from "../runtime/coordinator/dataflow-registry.ts";
import type { Dataflow } from "../runtime/dataflow/dataflow.ts";
import { linksOf } from "../runtime/dataflow/dataflow.ts";
import type {
  DataflowState,
  FailureSummary,
  LinkStatus,
  NodeEnd,
  NodeState,
  RuntimeEvent,
} from "../runtime/protocol/status.ts";

/** What is to be built, connected and started, in the order in which it is shown. */
export interface StartPlan {
  readonly nodes: readonly PlannedNode[];
  readonly links: readonly PlannedLink[];
  /** Whether `build` lines run. */
  readonly isWithBuild: boolean;
}

export interface PlannedNode {
  readonly id: string;
  readonly name: string;
  /** Started by hand: nobody waits for it. */
  readonly isDynamic: boolean;
}

export type PlannedLink = Pick<LinkStatus, "link" | "source" | "target">;

type BuildEvent = Extract<RuntimeEvent, { readonly type: "build" }>;

export interface BuildProgress extends Pick<
  BuildEvent,
  "node" | "linesDone" | "linesTotal" | "command" | "lastStderr" | "missing"
> {
  readonly state: "waiting" | BuildEvent["state"];
  readonly elapsedMs: number;
  /** When that was so, by the clock of who watches. */
  readonly seenMs: number;
}

export interface LinkProgress {
  readonly state: "connecting" | "connected" | "failed";
  readonly elapsedMs: number;
  readonly seenMs: number;
  readonly message?: string;
}

export interface NodeProgress {
  readonly state: NodeState;
  /** Since when it is started. */
  readonly beganMs: number;
  readonly end?: NodeEnd;
}

export interface StartProgress {
  readonly plan: StartPlan;
  /** By node, in the order in which they were told. */
  readonly builds: ReadonlyMap<string, BuildProgress>;
  readonly links: ReadonlyMap<string, LinkProgress>;
  readonly nodes: ReadonlyMap<string, NodeProgress>;
  /** Processes were started: all was built. */
  readonly isLaunched: boolean;
  /** All nodes ran together once. */
  readonly hasRun: boolean;
  readonly state: DataflowState | undefined;
  readonly failure?: FailureSummary;
}

export function planOfFile(dataflow: Dataflow, isWithBuild: boolean): StartPlan {
  return {
    nodes: dataflow.nodes.map(({ id, name, source }) => ({
      id,
      name,
      isDynamic: source.kind === "dynamic",
    })),
    links: linksOf(dataflow).map(({ id, source, target }) => ({ link: id, source, target })),
    isWithBuild,
  };
}

/** Of one that is started again; what the coordinator says does not tell which nodes are started by hand. */
export function planOfStatus({ nodes, links }: DataflowAnswer, isWithBuild: boolean): StartPlan {
  return {
    nodes: nodes.map(({ id, name }) => ({ id, name, isDynamic: false })),
    links,
    isWithBuild,
  };
}

export function beginProgress(plan: StartPlan): StartProgress {
  const none = new Map<string, never>();
  return {
    plan,
    builds: none,
    links: none,
    nodes: none,
    isLaunched: false,
    hasRun: false,
    state: undefined,
  };
}

/** Whether the start has come to its end, well or not. */
export function isSettled({ state, hasRun }: StartProgress): boolean {
  return hasRun || (state !== undefined && isEnded(state));
}

/** Whether the nodes were built and nothing beyond it was begun. */
export function hasFailedBuild({ builds }: StartProgress): boolean {
  return [...builds.values()].some(({ state }) => state === "failed");
}

/** Takes an event of this dataflow, seen at `nowMs`. */
export function advance(
  progress: StartProgress,
  event: RuntimeEvent,
  nowMs: number,
): StartProgress {
  switch (event.type) {
    case "build": {
      const { node } = event;
      const build = { ...event, seenMs: nowMs };
      return { ...progress, builds: withEntry(progress.builds, node, build) };
    }
    case "link": {
      const { link, state, elapsedMs, message } = event;
      const part = message === undefined ? {} : { message };
      const entry = { state, elapsedMs, seenMs: nowMs, ...part };
      return { ...progress, isLaunched: true, links: withEntry(progress.links, link, entry) };
    }
    case "node":
      return takeNode(progress, event, nowMs);
    case "dataflow": {
      const { state, failure } = event;
      return {
        ...progress,
        state,
        hasRun: progress.hasRun || state === "running" || state === "paused",
        isLaunched: progress.isLaunched || state === "starting" || state === "running",
        ...(failure === undefined ? {} : { failure }),
      };
    }
  }
}

function takeNode(
  progress: StartProgress,
  event: Extract<RuntimeEvent, { readonly type: "node" }>,
  nowMs: number,
): StartProgress {
  const { node, state, end } = event;
  if (state === "building") {
    // It has build lines, and waits for its turn.
    const build = { linesDone: 0, linesTotal: 0, command: "", elapsedMs: 0 };
    const waiting = { ...build, node, state: "waiting", seenMs: nowMs } as const;
    return { ...progress, builds: withEntry(progress.builds, node, waiting) };
  }
  const beganMs = progress.nodes.get(node)?.beganMs ?? nowMs;
  const entry = { state, beganMs, ...(end === undefined ? {} : { end }) };
  return { ...progress, nodes: withEntry(progress.nodes, node, entry) };
}

function withEntry<Value>(
  before: ReadonlyMap<string, Value>,
  key: string,
  value: Value,
): ReadonlyMap<string, Value> {
  return new Map(before).set(key, value);
}
