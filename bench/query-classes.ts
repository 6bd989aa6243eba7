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
  /** `blk_` and digits. */
  readonly block: string;
  /** Digits from inside those of a block. */
  readonly digits: string;
  /** A word of seven digits. */
  readonly order: string;
  /** The first two groups of a request's id: eight and four hexadecimal digits. */
  readonly request: string;
}

const HISTOGRAM_NS = 900_000_000_000n;

/**
 * Each way to look for a text stands there three times, as stores may split messages into constant
 * text and variables (numbers, ids): the needle in constant text, in a variable, and across both.
 */
export function makeQueryClasses(needles: Needles): readonly QueryClass[] {
  return [...makeTextClasses(needles), ...makeOtherClasses(needles)];
}

function makeTextClasses({ block, digits, order, request }: Needles): readonly QueryClass[] {
  const count = (name: string, query: string, where: string): QueryClass => ({
    name,
    ours: { route: "count", query },
    sql: `SELECT count(*) AS n FROM logs WHERE ${where}`,
    compare: "count",
  });
  const word = (column: string, text: string): string =>
    String.raw`contains(lower(${column}), '${text}') AND regexp_matches(${column}, '\b${text}\b', 'i')`;
  const hexadecimal = request.slice(0, 8);
  const acrossBlock = block.slice(1, -1);
  const acrossRequest = request.slice(5, -1);
  const confirmed = `order ${order} confirmed by`;
  const spread = `${digits.slice(0, 2)}[0-9]${digits.slice(3)}`;
  return [
    count("word, any case", "message:connection", word("body", "connection")),
    count("word that is a variable", `message:${hexadecimal}`, word("body", hexadecimal)),
    count("rare word with digits", `message:${block}`, `contains(body, '${block}')`),
    count("rare word of digits", `message:${order}`, word("body", order)),
    count("absent word", "message:zyzzyva", "contains(lower(body), 'zyzzyva')"),
    count(
      "word in any text",
      "orders",
      `(${word("body", "orders")}) OR (${word("attributes::VARCHAR", "orders")})`,
    ),
    count("phrase", "message:'reset by peer'", "contains(body, 'reset by peer')"),
    count("phrase of variables", `message:'${request}'`, `contains(body, '${request}')`),
    count(
      "phrase across text and variable",
      `message:'${confirmed}'`,
      `contains(body, '${confirmed}')`,
    ),
    count("infix", "message:*'nnection re'*", "contains(body, 'nnection re')"),
    count("infix in a variable", `message:*"${digits}"*`, `contains(body, '${digits}')`),
    count(
      "infix across text and variable",
      `message:*'${acrossBlock}'*`,
      `contains(body, '${acrossBlock}')`,
    ),
    count("infix, any case", 'message:*"NNECTION RE"*', "contains(lower(body), 'nnection re')"),
    count(
      "infix, any case, in a variable",
      `message:*"${hexadecimal.slice(1, -1).toUpperCase()}"*`,
      `contains(lower(body), '${hexadecimal.slice(1, -1)}')`,
    ),
    count(
      "infix, any case, across text and variable",
      `message:*"${acrossRequest.toUpperCase()}"*`,
      `contains(lower(body), '${acrossRequest}')`,
    ),
    count(
      "regular expression in text",
      "message:/reset by (peer|host)/",
      "regexp_matches(body, 'reset by (peer|host)')",
    ),
    count(
      "regular expression in a variable",
      `message:/${spread}/`,
      `regexp_matches(body, '${spread}')`,
    ),
    count(
      "regular expression",
      "message:/took [0-9]{4,} ms/",
      "regexp_matches(body, 'took [0-9]{4,} ms')",
    ),
  ];
}

function makeOtherClasses({ traceId }: Needles): readonly QueryClass[] {
  return [
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
