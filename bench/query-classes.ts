/** The classes of queries that are measured: ours over HTTP, and the same in SQL for the peer. */

export interface QueryClass {
  readonly name: string;
  readonly ours: OurQuery;
  readonly sql: string;
  /** What of the peer's rows must equal our answer. */
  readonly compare: "count" | "times" | "groups" | "exported";
}

export type OurQuery =
  | { readonly route: "count"; readonly query: string }
  | { readonly route: "groups"; readonly query: string; readonly by: string }
  | { readonly route: "histogram"; readonly query: string; readonly interval: string }
  | { readonly route: "search"; readonly query: string; readonly limit?: number };

/** What the queries look for, taken from the load, so that each finds something. */
export interface Needles {
  readonly traceId: string;
  readonly block: string;
  readonly digits: string;
}

const HISTOGRAM_NS = 900_000_000_000n;

export function makeQueryClasses({ traceId, block, digits }: Needles): readonly QueryClass[] {
  const count = (name: string, query: string, where: string): QueryClass => ({
    name,
    ours: { route: "count", query },
    sql: `SELECT count(*) AS n FROM logs WHERE ${where}`,
    compare: "count",
  });
  return [
    count(
      "word, any case",
      "message:connection",
      String.raw`contains(lower(body), 'connection') AND regexp_matches(body, '\bconnection\b', 'i')`,
    ),
    count("phrase", "message:'reset by peer'", "contains(body, 'reset by peer')"),
    count("infix", "message:*'nnection re'*", "contains(body, 'nnection re')"),
    count("infix, any case", 'message:*"NNECTION RE"*', "contains(lower(body), 'nnection re')"),
    count(
      "regular expression",
      "message:/took [0-9]{4,} ms/",
      "regexp_matches(body, 'took [0-9]{4,} ms')",
    ),
    count("absent word", "message:zyzzyva", "contains(lower(body), 'zyzzyva')"),
    count("rare word with digits", `message:${block}`, `contains(body, '${block}')`),
    count("infix in a variable", `message:*"${digits}"*`, `contains(body, '${digits}')`),
    {
      name: "one trace id",
      ours: { route: "search", query: `trace_id:${traceId}` },
      sql: `SELECT * FROM logs WHERE trace_id = '${traceId}' ORDER BY time_unix_ns DESC`,
      compare: "times",
    },
    {
      name: "count by level and node",
      ours: { route: "groups", query: "", by: "level, node" },
      sql: "SELECT severity_text AS level, node, count(*) AS n FROM logs GROUP BY ALL",
      compare: "groups",
    },
    {
      name: "histogram",
      ours: { route: "histogram", query: "", interval: "15m" },
      sql: `SELECT time_unix_ns // ${HISTOGRAM_NS} AS bucket, severity_text AS level, count(*) AS n FROM logs GROUP BY ALL`,
      compare: "groups",
    },
    {
      name: "newest 100 of one node's errors",
      ours: { route: "search", query: "node:order-service level>=error", limit: 100 },
      sql: "SELECT * FROM logs WHERE node = 'order-service' AND severity_number >= 17 ORDER BY time_unix_ns DESC LIMIT 100",
      compare: "times",
    },
    {
      name: "newest 100 errors",
      ours: { route: "search", query: "level>=error", limit: 100 },
      sql: "SELECT * FROM logs WHERE severity_number >= 17 ORDER BY time_unix_ns DESC LIMIT 100",
      compare: "times",
    },
    {
      name: "export all errors as JSON Lines",
      ours: { route: "search", query: "level>=error" },
      sql: "COPY (SELECT * FROM logs WHERE severity_number >= 17 ORDER BY time_unix_ns DESC) TO '$EXPORT' (FORMAT json)",
      compare: "exported",
    },
  ];
}
