/** What is asked of spans and data points: ours over HTTP, and the same in SQL for the peer. */
import { LOAD_DAY_UNIX_MS } from "./load.ts";

export interface SignalQuestion {
  readonly name: string;
  /** Path and parameters; the range is the load's day where there is none. */
  readonly ours: { readonly path: string; readonly parameters?: Readonly<Record<string, string>> };
  readonly sql: string;
  /** What must be equal: times of entries, the spans of a trace, or these columns of rows. */
  readonly compare: "times" | "trace" | readonly string[];
}

const HOUR_MS = 3_600_000;

export function makeSpanQuestions(traceId: string): readonly SignalQuestion[] {
  const rows = (
    name: string,
    query: string,
    { sql, columns }: { readonly sql: string; readonly columns: readonly string[] },
  ): SignalQuestion => ({
    name,
    ours: { path: "/api/v1/traces/query", parameters: { query } },
    sql,
    compare: columns,
  });
  const count = (name: string, query: string, where: string): SignalQuestion =>
    rows(name, `${query} | count`, {
      sql: `SELECT count(*) FROM spans WHERE ${where}`,
      columns: ["count"],
    });
  const newest = (name: string, query: string, where: string): SignalQuestion => ({
    name,
    ours: { path: "/api/v1/traces/search", parameters: { query, limit: "100" } },
    sql: `SELECT * FROM spans WHERE ${where} ORDER BY time_unix_ns DESC LIMIT 100`,
    compare: "times",
  });
  const errorType = String.raw`json_extract_string(attributes, '$."error.type"')`;
  const statusCode = String.raw`json_extract(attributes, '$."http.response.status_code"')::INTEGER`;
  return [
    {
      name: "one trace",
      ours: { path: `/api/v1/traces/${traceId}` },
      sql: `SELECT * FROM spans WHERE trace_id = '${traceId}' ORDER BY time_unix_ns`,
      compare: "trace",
    },
    count("spans of a service", "node:order-service", "service = 'order-service'"),
    count("spans of an operation", 'event:"GET /cart"', "name = 'GET /cart'"),
    newest("newest 100 of an operation", "event:findOrder", "name = 'findOrder'"),
    newest("newest 100 that failed", "error.type:*", `${errorType} IS NOT NULL`),
    count("spans with a status code", "http.response.status_code>=500", `${statusCode} >= 500`),
    count("spans longer than 100 ms", "duration_ms>100", "duration_ns > 100000000"),
    newest(
      "newest 100 long ones of a service",
      "node:web-frontend duration_ms>100",
      "service = 'web-frontend' AND duration_ns > 100000000",
    ),
    newest("newest 100 with status error", "status:error", "status_code = 2"),
    rows("count by service and operation", "* | count by node, event_name", {
      sql: "SELECT service, name, count(*) FROM spans GROUP BY ALL",
      columns: ["node", "event_name", "count"],
    }),
  ];
}

export function makePointQuestions(): readonly SignalQuestion[] {
  const query = "node:worker-07 attributes.network.io.direction:receive";
  const series = String.raw`service = 'worker-07' AND metric = 'network.io' AND json_extract_string(attributes, '$."network.io.direction"') = 'receive'`;
  const fromMs = LOAD_DAY_UNIX_MS + 14 * HOUR_MS;
  const inHour = `time_unix_ns >= ${fromMs}000000 AND time_unix_ns < ${fromMs + HOUR_MS}000000`;
  const hour = {
    since: new Date(fromMs).toISOString(),
    until: new Date(fromMs + HOUR_MS).toISOString(),
  };
  return [
    {
      name: "a day of one series",
      ours: { path: "/api/v1/metrics/search", parameters: { query } },
      sql: `SELECT * FROM points WHERE ${series} ORDER BY time_unix_ns DESC`,
      compare: "times",
    },
    {
      name: "a day of one series, by name",
      ours: {
        path: "/api/v1/metrics/search",
        parameters: { query: "name:process.cpu.utilization node:worker-07" },
      },
      sql: "SELECT * FROM points WHERE service = 'worker-07' AND metric = 'process.cpu.utilization' ORDER BY time_unix_ns DESC",
      compare: "times",
    },
    {
      name: "an hour of one series",
      ours: { path: "/api/v1/metrics/search", parameters: { query, ...hour } },
      sql: `SELECT * FROM points WHERE ${series} AND ${inHour} ORDER BY time_unix_ns DESC`,
      compare: "times",
    },
    {
      name: "newest 100 of one process",
      ours: {
        path: "/api/v1/metrics/search",
        parameters: { query: "node:worker-07", limit: "100" },
      },
      sql: "SELECT * FROM points WHERE service = 'worker-07' ORDER BY time_unix_ns DESC LIMIT 100",
      compare: "times",
    },
    {
      name: "count by process",
      ours: { path: "/api/v1/metrics/query", parameters: { query: "* | count by node" } },
      sql: "SELECT service, count(*) FROM points GROUP BY ALL",
      compare: ["node", "count"],
    },
  ];
}
