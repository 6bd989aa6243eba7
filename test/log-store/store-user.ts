import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { z } from "zod";
import type { AnyValue } from "../../src/core/any-value.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { Filter } from "../../src/core/filter.ts";
import type { Signal } from "../../src/core/record.ts";
import type { TimeRange } from "../../src/core/time.ts";
import { ALL_TIME } from "../../src/core/time.ts";
import type { EmbeddedStoreOptions } from "../../src/log-store/embedded-store.ts";
import { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import type { AppendResult } from "../../src/log-store/ingest.ts";
import type {
  AggregateRequest,
  LogStore,
  QueryBudget,
  SearchEnd,
} from "../../src/log-store/log-store.ts";
import { InlineMerger } from "../../src/log-store/merger.ts";
import { InlineScanRunner } from "../../src/log-store/scan-inline.ts";
import { InlineSealer } from "../../src/log-store/sealer.ts";
import type { LogToEncode } from "../../src/wire/otlp-encode.ts";
import { encodeLogsRequest } from "../../src/wire/otlp-encode.ts";

export const BUDGET: QueryBudget = { timeMs: 60_000, scanBytes: 2 ** 40, memoryBytes: 2 ** 30 };
export const ALL: Filter = { kind: "all" };

/** A folder that goes when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dora-store-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A store whose seals, merges and queries run in this thread; closed when the test ends. */
export async function openStore(
  directory: string,
  options: Partial<EmbeddedStoreOptions> = {},
): Promise<EmbeddedStore> {
  const store = await EmbeddedStore.open({
    directory,
    clock: systemClock,
    sealer: new InlineSealer(),
    merger: new InlineMerger(),
    runner: new InlineScanRunner(),
    ...options,
  });
  onTestFinished(() => store.close());
  return store;
}

export interface LogParts extends Partial<LogToEncode> {
  readonly body?: AnyValue;
}

/** The bytes of a request with these records of one node. */
export function logsRequest(
  records: readonly LogParts[],
  resource: Readonly<Record<string, AnyValue>> = { "service.name": "camera" },
  scopeName = "test",
): Uint8Array {
  return encodeLogsRequest({
    resource: new Map(Object.entries(resource)),
    scopeName,
    records: records.map((parts) => ({
      timeUnixNs: 1_736_282_047_298_518_000n,
      severityNumber: 9,
      severityText: "INFO",
      body: "",
      attributes: new Map(),
      ...parts,
    })),
  });
}

export function appendLogs(
  store: EmbeddedStore,
  records: readonly LogParts[],
  resource?: Readonly<Record<string, AnyValue>>,
): Promise<AppendResult> {
  return store.append({ signal: "logs", body: logsRequest(records, resource), principal: "" });
}

export interface Search {
  readonly filter?: Filter;
  readonly signal?: Signal;
  readonly order?: "newest" | "oldest";
  readonly limit?: number;
  readonly after?: string;
  readonly range?: TimeRange;
  readonly budget?: QueryBudget;
}

/** Everything that a search gives, and its end. */
export async function searchAll(
  store: LogStore,
  search: Search = {},
): Promise<{ readonly entries: readonly FoundEntry[]; readonly end: SearchEnd }> {
  const request = {
    signal: search.signal ?? "logs",
    filter: search.filter ?? ALL,
    range: search.range ?? ALL_TIME,
    order: search.order ?? "oldest",
    budget: search.budget ?? BUDGET,
    ...(search.limit === undefined ? {} : { limit: search.limit }),
    ...(search.after === undefined ? {} : { after: search.after }),
  } as const;
  const batches = store.search(request, new AbortController().signal);
  const entries: FoundEntry[] = [];
  for (;;) {
    const step = await batches.next();
    if (step.done === true) return { entries, end: step.value };
    entries.push(...parseLines(step.value.lines));
  }
}

export function parseLines(lines: Uint8Array): readonly FoundEntry[] {
  const texts = new TextDecoder().decode(lines).split("\n").slice(0, -1);
  return texts.map(parseEntry);
}

const entry = z.looseObject({ seq: z.number(), message: z.string(), timestamp: z.string() });
export type FoundEntry = z.infer<typeof entry>;

function parseEntry(text: string): FoundEntry {
  return entry.parse(JSON.parse(text));
}

export async function messages(store: LogStore, search: Search = {}): Promise<readonly string[]> {
  return (await searchAll(store, search)).entries.map(({ message }) => message);
}

export function aggregate(
  store: LogStore,
  request: Pick<AggregateRequest, "by" | "stats"> & Partial<AggregateRequest>,
): ReturnType<LogStore["aggregate"]> {
  return store.aggregate(
    { signal: "logs", filter: ALL, range: ALL_TIME, budget: BUDGET, ...request },
    new AbortController().signal,
  );
}

/** `word`, any case, as a whole word in free text. */
export function word(text: string): Filter {
  return {
    kind: "text",
    match: { kind: "literal", text, anyCase: true, startsAtWord: true, endsAtWord: true },
  };
}

/** The law: everything received is accounted for. */
export function lawHolds(store: EmbeddedStore): boolean {
  return Object.values(store.counters()).every(
    (c) =>
      c.received === c.stored + c.rejected + c.filtered + c.deduplicated + c.dropped + c.pending,
  );
}
