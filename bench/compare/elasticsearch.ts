/** Elasticsearch, filled by its bulk API and asked in its query DSL over HTTP. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import { formatUnixNs, parseDurationNs, parseRfc3339 } from "../../src/core/time.ts";
import { cpuSeconds, folderBytes } from "../process-usage.ts";
import type { QueryClass } from "../query-classes.ts";
import {
  type Contestant,
  type LoadFigure,
  NotInstalledError,
  type Setting,
  type Usage,
} from "./contestant.ts";
import { elasticsearchForms } from "./elasticsearch-query.ts";
import { type ElasticsearchServer, startElasticsearch } from "./elasticsearch-server.ts";
import { measureFromOutside } from "./process-cpu.ts";

const REQUEST_ROWS = 2_000;
const REQUESTS_IN_FLIGHT = 4;
const PAGE_ROWS = 10_000;

const keyword = { type: "keyword" };
const INDEX = {
  settings: {
    number_of_shards: 1,
    number_of_replicas: 0,
    codec: "best_compression",
    refresh_interval: -1,
    // It remembers which documents a filter left over: a cache of results.
    "queries.cache.enabled": false,
  },
  mappings: {
    dynamic: false,
    properties: {
      "@timestamp": { type: "date_nanos" },
      severity_number: { type: "byte" },
      severity_text: keyword,
      node: keyword,
      host: keyword,
      logger: keyword,
      body: { type: "text", norms: false, fields: { raw: keyword } },
      trace_id: keyword,
      span_id: keyword,
      attributes: { type: "flattened" },
    },
  },
};

/** Newest first; a number would lose the nanoseconds. */
const SORT = [
  {
    "@timestamp": {
      order: "desc",
      format: "strict_date_optional_time_nanos",
      numeric_type: "date_nanos",
    },
  },
];

const Total = z.object({ hits: z.object({ total: z.object({ value: z.number() }) }) });
const Page = z.object({
  pit_id: z.string(),
  hits: z.object({ hits: z.array(z.object({ sort: z.array(z.unknown()) })) }),
});
const Inner = z.object({ key: z.string(), doc_count: z.number() });
const Outer = z.object({
  key: z.union([z.string(), z.number()]),
  by: z.object({ buckets: z.array(Inner) }),
});
const Groups = z.object({ aggregations: z.object({ by: z.object({ buckets: z.array(Outer) }) }) });

export class Elasticsearch implements Contestant {
  readonly name = "elasticsearch";
  readonly route = "server over HTTP, heap of 2 GB";
  readonly version: string;
  readonly #server: ElasticsearchServer;
  readonly #setting: Setting;

  private constructor(server: ElasticsearchServer, version: string, setting: Setting) {
    this.#server = server;
    this.version = version;
    this.#setting = setting;
  }

  static async start(setting: Setting): Promise<Elasticsearch> {
    const home = process.env["ELASTICSEARCH_HOME"];
    if (home === undefined) {
      throw new NotInstalledError("ELASTICSEARCH_HOME names the folder of an Elasticsearch");
    }
    const server = await startElasticsearch(home, setting.directory);
    const Nodes = z.object({ nodes: z.record(z.string(), z.object({ version: z.string() })) });
    const { nodes } = Nodes.parse(await (await fetch(`${server.url}/_nodes/_local`)).json());
    const version = Object.values(nodes)[0]?.version ?? "";
    return new Elasticsearch(server, `Elasticsearch ${version}`, setting);
  }

  get pid(): number {
    return this.#server.pid;
  }

  async load(): Promise<readonly LoadFigure[]> {
    const { recordCount, tableFile } = this.#setting;
    await this.#send("PUT", "/logs", JSON.stringify(INDEX));
    const cpuBefore = cpuSeconds(this.pid);
    const startedMs = performance.now();
    const requests = makeRequests(tableFile);
    const lane = async (): Promise<void> => {
      for (let next = await requests.next(); next.done !== true; next = await requests.next()) {
        const answer = await this.#send("POST", "/logs/_bulk?filter_path=errors", next.value);
        if (answer !== '{"errors":false}') throw new Error(`bulk: ${answer}`);
      }
    };
    await Promise.all(Array.from({ length: REQUESTS_IN_FLIGHT }, lane));
    const wallSeconds = (performance.now() - startedMs) / 1000;
    await this.#send("POST", "/logs/_forcemerge?max_num_segments=1&flush=true", "");
    await this.#send("POST", "/logs/_refresh", "");
    const how = `bulk requests of ${REQUEST_ROWS}, each synced before its answer; CPU until all is merged`;
    return [{ how, rows: recordCount, wallSeconds, cpuSeconds: cpuSeconds(this.pid) - cpuBefore }];
  }

  formsOf(question: QueryClass): readonly string[] {
    return elasticsearchForms(question);
  }

  ask(question: QueryClass, form: string): Promise<Usage> {
    return measureFromOutside(this.pid, () => this.#run(question, form));
  }

  async answer(question: QueryClass, form: string): Promise<readonly string[]> {
    const pages = await this.#run(question, form);
    const first: unknown = JSON.parse(pages[0] ?? "");
    const { ours } = question;
    switch (ours.route) {
      case "count":
        return [String(Total.parse(first).hits.total.value)];
      case "search":
        return pages.flatMap((page) => readTimes(page));
      case "groups":
        return readGroups(first, (key) => String(key));
      case "histogram": {
        const intervalNs = parseDurationNs(ours.interval) ?? 1n;
        return readGroups(first, (key) => String((BigInt(key) * 1_000_000n) / intervalNs));
      }
    }
  }

  async diskBytes(): Promise<number> {
    const entries = await folderBytes(this.#server.dataDirectory);
    return [...entries.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  async #run({ ours }: QueryClass, form: string): Promise<readonly string[]> {
    if (ours.route === "search") return this.#readPages(form, ours.limit);
    return [await this.#send("POST", "/logs/_search?request_cache=false", form)];
  }

  /** Page by page over one point in time, as an export is made. */
  async #readPages(form: string, limit: number | undefined): Promise<readonly string[]> {
    const PointInTime = z.object({ id: z.string() });
    const opened = await this.#send("POST", "/logs/_pit?keep_alive=1m", "");
    let { id } = PointInTime.parse(JSON.parse(opened));
    const size = Math.min(limit ?? PAGE_ROWS, PAGE_ROWS);
    const pages: string[] = [];
    let after: readonly unknown[] | undefined;
    for (;;) {
      const search = {
        ...z.record(z.string(), z.unknown()).parse(JSON.parse(form)),
        size,
        sort: SORT,
        track_total_hits: false,
        pit: { id, keep_alive: "1m" },
        ...(after === undefined ? {} : { search_after: after }),
      };
      const page = await this.#send("POST", "/_search", JSON.stringify(search));
      pages.push(page);
      const { pit_id: nextId, hits } = Page.parse(JSON.parse(page));
      id = nextId;
      after = hits.hits.at(-1)?.sort;
      if (limit !== undefined || hits.hits.length < size) break;
    }
    await this.#send("DELETE", "/_pit", JSON.stringify({ id }));
    return pages;
  }

  /** Errors: any answer but 200. */
  async #send(method: string, path: string, body: string): Promise<string> {
    const response = await fetch(`${this.#server.url}${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === "" ? {} : { body }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text.slice(0, 500)}`);
    return text;
  }
}

async function* makeRequests(tableFile: string): AsyncGenerator<string, void> {
  let lines: string[] = [];
  for await (const line of createInterface({ input: createReadStream(tableFile) })) {
    lines.push(`{"index":{}}\n${toDocument(line)}\n`);
    if (lines.length < REQUEST_ROWS) continue;
    yield lines.join("");
    lines = [];
  }
  if (lines.length > 0) yield lines.join("");
}

/** A row of the table with its time as Elasticsearch reads it; the rest of the line stays. */
function toDocument(line: string): string {
  return line.replace(
    /^\{"time_unix_ns":"(\d+)"/,
    (_, unixNs: string) => `{"@timestamp":"${formatUnixNs(BigInt(unixNs))}"`,
  );
}

function readTimes(page: string): readonly string[] {
  return Page.parse(JSON.parse(page)).hits.hits.map(({ sort }) =>
    String(parseRfc3339(z.string().parse(sort[0]))),
  );
}

function readGroups(json: unknown, toKey: (key: string | number) => string): readonly string[] {
  return Groups.parse(json)
    .aggregations.by.buckets.flatMap(({ key, by }) =>
      by.buckets.map((inner) => `${toKey(key)} ${inner.key} ${inner.doc_count}`),
    )
    .sort();
}
