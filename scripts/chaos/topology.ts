/**
 * The flow of the chaos run: twenty nodes, two sources at one rate R.
 *
 *     camera ─► a1 ─► a2 ─► a3 ─► a4 ─┐          ┌► w1 ─┐
 *                                     ├► spread ─┼► w2 ─┼► join ─► t1 ─► t2 ─► t3 ─► sink
 *     lidar ──► b1 ─► b2 ─► b3 ─► b4 ─┘          ├► w3 ─┤
 *                                                └► w4 ─┘
 *
 * Everybody sends on each message that it takes, but for `join`, which sends on those of `w1`. So its links
 * carry 34 R in all.
 */
export const QUEUE_SIZE = 50;
/** Messages on all links for each message of one source. */
const LINK_MESSAGES_PER_SOURCE_MESSAGE = 34;

export interface FlowLink {
  readonly source: string;
  readonly target: string;
  /** Index among the inputs of the target. */
  readonly input: number;
  readonly isDropping: boolean;
}

export const SOURCES = ["camera", "lidar"];

const INPUTS: Readonly<Record<string, readonly string[]>> = {
  camera: [],
  lidar: [],
  a1: ["camera"],
  a2: ["a1"],
  a3: ["a2"],
  a4: ["a3"],
  b1: ["lidar"],
  b2: ["b1"],
  b3: ["b2"],
  b4: ["b3"],
  spread: ["a4", "b4"],
  w1: ["spread"],
  w2: ["spread"],
  w3: ["spread"],
  w4: ["spread"],
  join: ["w1", "w2", "w3", "w4"],
  t1: ["join"],
  t2: ["t1"],
  t3: ["t2"],
  sink: ["t3"],
};

export const NODES: readonly string[] = Object.keys(INPUTS);

/** The workers drop what they have no time for; all others hold their sender back. */
const DROPPING = new Set(["w1", "w2", "w3", "w4"]);

export const LINKS: readonly FlowLink[] = NODES.flatMap((target) =>
  INPUTS[target].map((source, input) => ({
    source,
    target,
    input,
    isDropping: DROPPING.has(target),
  })),
);

/** Messages that may wait in a node's queues together. */
export function queueLimit(node: string): number {
  return INPUTS[node].length * QUEUE_SIZE;
}

/** The dataflow file. `rate` is of messages a second on all links together. */
export function writeFlow(options: {
  readonly program: string;
  readonly ledgers: string;
  readonly rate: number;
}): string {
  const sourceRate = options.rate / LINK_MESSAGES_PER_SOURCE_MESSAGE;
  const nodes = NODES.map((id) => ({
    id,
    path: options.program,
    env: { CHAOS_LEDGERS: options.ledgers },
    parameters: { rate: SOURCES.includes(id) ? sourceRate : 0, is_ending: false },
    inputs: Object.fromEntries(
      INPUTS[id].map((source, index) => [`in${index}`, inputOf(id, source)]),
    ),
    outputs: id === "sink" ? [] : ["out"],
    restart_policy: "on-failure",
    restart_delay: 0.2,
    max_restart_delay: 1,
  }));
  // YAML is a superset of JSON.
  return JSON.stringify({ name: "chaos", nodes }, null, 2);
}

function inputOf(node: string, source: string): object {
  const policy = DROPPING.has(node) ? "drop_oldest" : "backpressure";
  return { source: `${source}/out`, queue_size: QUEUE_SIZE, queue_policy: policy };
}
