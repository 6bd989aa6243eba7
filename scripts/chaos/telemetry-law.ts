/** Asks the log service whether its own account and the daemon's agree with what it holds. */
import { z } from "zod";

const Signal = z.object({
  received: z.number(),
  stored: z.number(),
  rejected: z.number(),
  filtered: z.number(),
  deduplicated: z.number(),
  dropped: z.number(),
  pending: z.number(),
  expired: z.number(),
  damaged: z.number(),
});
const Status = z.object({ signals: z.record(z.string(), Signal) });
const Count = z.object({ count: z.number() });
const Point = z.object({
  timestamp: z.string(),
  name: z.string(),
  value: z.number().nullable(),
  node: z.string(),
  attributes: z.record(z.string(), z.unknown()),
});
type Point = z.infer<typeof Point>;

type SignalCounts = z.infer<typeof Signal>;

export interface SignalAccount {
  readonly signal: string;
  readonly counts: SignalCounts;
}

/** Whether all that was received is accounted for. */
export function isBalanced({ counts }: SignalAccount): boolean {
  const { received, stored, rejected, filtered, deduplicated, dropped, pending } = counts;
  return received === stored + rejected + filtered + deduplicated + dropped + pending;
}

/** Of one signal, what the daemon says and what the store answers. */
export interface DaemonAccount {
  readonly signal: "logs" | "traces";
  readonly delivered: number;
  readonly dropped: number;
  readonly waiting: number;
  /** Records of the daemon's dataflows and of the daemon itself, or spans. */
  readonly inStore: number;
}

export interface TelemetryAccount {
  readonly signals: readonly SignalAccount[];
  readonly daemon: readonly DaemonAccount[];
  readonly spansKept: number;
  readonly spansLeftOut: number;
  /** Messages that the nodes' outputs and inputs have counted, of all processes. */
  readonly countedSent: number;
  readonly countedTaken: number;
  readonly countedDropped: number;
}

export async function readTelemetry(api: string): Promise<TelemetryAccount> {
  const { signals } = Status.parse(await ask(`${api}/api/v1/status`));
  const points = await readPoints(api);
  const ofDaemon = (name: string, signal: string): number =>
    sumOfLast(
      points,
      // The coordinator, too, says what it delivered.
      (point) =>
        point.name === name &&
        point.node === "dora-daemon" &&
        point.attributes["dora.signal"] === signal,
    );
  const ofNodes = (name: string, port: string): number =>
    sumOfLast(points, (point) => point.name === name && port in point.attributes);
  const ofSpans = (decision: string): number =>
    sumOfLast(
      points,
      ({ name, attributes }) =>
        name === "dora.telemetry.spans" && attributes["decision"] === decision,
    );
  const account = async (
    signal: DaemonAccount["signal"],
    query: string,
  ): Promise<DaemonAccount> => ({
    signal,
    delivered: ofDaemon("dora.telemetry.delivered", signal),
    dropped: ofDaemon("dora.telemetry.dropped", signal),
    waiting: ofDaemon("dora.telemetry.waiting", signal),
    inStore: await count(api, signal, query),
  });
  return {
    signals: Object.entries(signals).map(([signal, counts]) => ({ signal, counts })),
    daemon: [
      await account("logs", "NOT node:dora-coordinator NOT node:dora-serve"),
      await account("traces", "*"),
    ],
    spansKept: ofSpans("kept"),
    spansLeftOut: ofSpans("left out"),
    countedSent: ofNodes("dora.node.messages", "dora.output"),
    countedTaken: ofNodes("dora.node.messages", "dora.input"),
    countedDropped: ofNodes("dora.node.messages.dropped", "dora.input"),
  };
}

async function ask(url: string): Promise<unknown> {
  const response = await fetch(url);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return JSON.parse(text) as unknown;
}

async function count(api: string, signal: string, query: string): Promise<number> {
  const url = `${api}/api/v1/${signal}/query?query=${encodeURIComponent(`${query} | count`)}`;
  const text = await (await fetch(url)).text();
  const [line = ""] = text.split("\n");
  return Count.parse(JSON.parse(line)).count;
}

/** Data points of the last minute: each series is in them, since nodes have ended later than that. */
async function readPoints(api: string): Promise<readonly Point[]> {
  const response = await fetch(`${api}/api/v1/metrics/search?query=*&since=-60s&limit=100000`);
  const lines = (await response.text()).split("\n").filter((line) => line !== "");
  return lines
    .map((line) => JSON.parse(line) as unknown)
    .flatMap((line) => {
      const point = Point.safeParse(line);
      return point.success ? [point.data] : [];
    });
}

/** The newest value of each series that matches, added up. */
function sumOfLast(points: readonly Point[], matches: (point: Point) => boolean): number {
  const newest = new Map<string, Point>();
  for (const point of points) {
    if (!matches(point)) continue;
    const { name, node, attributes } = point;
    const series = JSON.stringify([name, node, attributes]);
    const other = newest.get(series);
    if (other === undefined || other.timestamp < point.timestamp) newest.set(series, point);
  }
  return [...newest.values()].reduce((total, { value }) => total + (value ?? 0), 0);
}
