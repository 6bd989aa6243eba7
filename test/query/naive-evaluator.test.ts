import { describe, expect, test } from "vitest";
import { parseFilter } from "../../src/query/parse-filter.ts";
import { logRecord } from "./log-record.ts";
import { matchesRecord } from "./naive-evaluator.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";

const record = logRecord({
  severityNumber: 17,
  body: "Connection timeout: retry blk_17 of Straße on 10.0.0.1",
  eventName: "link.lost",
  logger: "dora_daemon::coordinator",
  traceId: TRACE_ID,
  attributes: {
    "http.status": 503n,
    latency_ms: 12.5,
    size: " 1e3 ",
    peer: "camera-front",
    ok: false,
    empty: null,
    tags: ["a", 2n],
    shared: "own",
  },
  resource: {
    "service.name": "detector",
    "dora.node.name": "Node B",
    "dora.dataflow.id": "flow-1",
    "dora.dataflow.name": "Inspection",
    shared: "resource",
  },
});

const MATCHING = [
  "",
  "*",
  "timeout",
  "TIMEOUT",
  "conn*",
  "*tion",
  "*nnec*",
  '"connection timeout"',
  "'Connection timeout'",
  "link.lost",
  "camera-front",
  "STRAßE",
  "blk_17",
  "blk*",
  "10.0.0.1",
  "/blk_[0-9]+/",
  "/CONNECTION/i",
  "level:error",
  "level>=warn",
  "level<=17",
  "severity:(error OR fatal)",
  "node:detector",
  'node:"node b"',
  "node:NODE*",
  "node='Node B'",
  "dataflow:flow-1",
  "dataflow:inspection",
  "event:link.lost",
  "logger:dora_daemon*",
  `trace_id:${TRACE_ID.toUpperCase()}`,
  "trace_id:4BF9*",
  "http.status:503",
  "attributes.http.status>=500",
  "latency_ms:[12 TO 13]",
  "latency_ms:{12 TO 12.5]",
  "size=' 1e3 '",
  "size>999",
  "ok:false",
  "empty:*",
  'empty:""',
  "tags:'[\"a\",2]'",
  "shared:own",
  "shared:resource",
  "shared:(own AND resource)",
  "resource.shared:resource",
  "message:timeout",
  "message:/^Conn/",
  "missing!=5",
  "NOT missing:*",
  "peer:/front$/",
  "retry OR nothing",
  "-nothing",
];

const FAILING = [
  "NOT *",
  "connect",
  "nnec*",
  "*imeou",
  "'connection timeout'",
  '"timeout connection"',
  "blk",
  "blk_1",
  "detector",
  "503",
  "strasse",
  "/connection/",
  "level:warn",
  "level>error",
  "level<warn",
  "level:unspecified",
  "node:node",
  "node='node b'",
  "node:detect",
  "event:LINK",
  "event=LINK.LOST",
  "trace_id:5*",
  "span_id:*",
  "http.status:50",
  "http.status!=503",
  "latency_ms<12.5",
  "latency_ms:{12.5 TO 13]",
  "peer>0",
  "ok>=0",
  "empty>=0",
  "attributes.shared:resource",
  "resource.shared:own",
  "message:link.lost",
  "message=timeout",
  "missing:*",
  "-timeout",
  "timeout nothing",
];

describe("the naive evaluator", () => {
  test.each(MATCHING)("finds the record with %s", (query) => {
    expect(matchesRecord(parseFilter(query), record)).toBe(true);
  });

  test.each(FAILING)("does not find the record with %s", (query) => {
    expect(matchesRecord(parseFilter(query), record)).toBe(false);
  });

  test("a record without a severity is below and above no level (LOG-001)", () => {
    const unspecified = logRecord({ body: "x" });
    expect(matchesRecord(parseFilter("level:unspecified"), unspecified)).toBe(true);
    for (const query of ["level<fatal", "level>=trace", "level:*", "level<=24"]) {
      expect(matchesRecord(parseFilter(query), unspecified), query).toBe(false);
    }
  });
});
