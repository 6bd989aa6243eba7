/** Asks the service over HTTP, and puts its answers into the form in which they are compared. */
import { z } from "zod";
import { LOAD_DAY_UNIX_MS } from "./load.ts";
import type { OurQuery } from "./query-classes.ts";

const Status = z.object({ status: z.string() });
const Count = z.looseObject({ count: z.number() });
const Groups = z.looseObject({
  groups: z.array(z.object({ level: z.string(), node: z.string(), count: z.number() })),
});
const Histogram = z.looseObject({
  interval_ns: z.number(),
  buckets: z.array(z.object({ time: z.string(), levels: z.record(z.string(), z.number()) })),
});
const Entry = z.looseObject({ timestamp: z.string() });

const DAY_MS = 86_400_000;

/** The whole answer as text. The range leaves out what the service logs of itself. */
export async function ask(api: string, ours: OurQuery): Promise<string> {
  const { route, ...parameters } = ours;
  const search = new URLSearchParams({
    since: new Date(LOAD_DAY_UNIX_MS).toISOString(),
    until: new Date(LOAD_DAY_UNIX_MS + DAY_MS).toISOString(),
  });
  for (const [name, value] of Object.entries(parameters)) search.set(name, String(value));
  const response = await fetch(`${api}/api/v1/logs/${route}?${search.toString()}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`${route} answered ${response.status}: ${text}`);
  return text;
}

/** The answer to compare. Errors: one that is not complete. */
export function readAnswer(ours: OurQuery, text: string): readonly string[] {
  if (ours.route === "search") return readEntries(text);
  const json: unknown = JSON.parse(text);
  if (Status.parse(json).status !== "complete") throw new Error(`partial: ${text.slice(0, 200)}`);
  switch (ours.route) {
    case "count":
      return [String(Count.parse(json).count)];
    case "groups":
      return Groups.parse(json)
        .groups.map(({ level, node, count }) => `${level} ${node} ${count}`)
        .sort();
    case "histogram": {
      const { buckets, interval_ns: intervalNs } = Histogram.parse(json);
      return buckets
        .flatMap(({ time, levels }) =>
          Object.entries(levels)
            .filter(([, count]) => count > 0)
            .map(([level, count]) => `${bucketOf(time, intervalNs)} ${level} ${count}`),
        )
        .sort();
    }
  }
}

/** The times of the entries, newest first, in nanoseconds. */
function readEntries(text: string): readonly string[] {
  const lines = text.trimEnd().split("\n");
  const end = z.object({ end: z.looseObject({ status: z.string() }) });
  const { status } = end.parse(JSON.parse(lines.pop() ?? "")).end;
  if (status !== "complete") throw new Error(`the search is ${status}`);
  return lines.map((line) => toUnixNs(Entry.parse(JSON.parse(line)).timestamp).toString());
}

function bucketOf(time: string, intervalNs: number): bigint {
  return toUnixNs(time) / BigInt(intervalNs);
}

/** Errors: a text that is no timestamp of ours. */
export function toUnixNs(timestamp: string): bigint {
  const found = /^(.+)\.(\d{6,9})Z$/.exec(timestamp);
  if (found === null) throw new Error(`no timestamp: ${timestamp}`);
  const [, seconds = "", fraction = ""] = found;
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}
