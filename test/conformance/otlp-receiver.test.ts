/**
 * What the reference receiver is held to, asked of ours with a real store behind it. Source of the
 * cases: opentelemetry-collector receiver/otlpreceiver/otlp_test.go and
 * internal/errors/errors_test.go, in our own words.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { OtlpGrpcReceiver } from "../../src/collector/otlp-grpc.ts";
import { OtlpHttpReceiver } from "../../src/collector/otlp-http.ts";
import type { OtlpReceiverOptions } from "../../src/collector/otlp-receiver.ts";
import { boundAddress } from "../../src/collector/otlp-receiver.ts";
import type { Signal } from "../../src/core/record.ts";
import { ALL_TIME } from "../../src/core/time.ts";
import type { AppendResult } from "../../src/log-store/ingest.ts";
import type { LogStore } from "../../src/log-store/log-store.ts";
import { otlpJsonToProtobuf } from "../../src/wire/otlp-json.ts";
import { call, frame } from "../collector/grpc-client.ts";
import { JSON_TYPE, PROTOBUF, send } from "../collector/http-client.ts";
import { receiverOptions } from "../collector/receiver-set-up.ts";
import { STORED } from "../collector/recording-ingest.ts";
import { ALL, BUDGET, openStore, temporaryFolder } from "../log-store/store-user.ts";

const EXAMPLES = [
  ["logs", "logs.json"],
  ["logs", "events.json"],
  ["traces", "trace.json"],
  ["metrics", "metrics.json"],
] as const satisfies readonly (readonly [Signal, string])[];

function example(file: string): Buffer {
  return readFileSync(new URL(`../fixtures/otlp/${file}`, import.meta.url));
}

async function startHttp(options: Partial<OtlpReceiverOptions> = {}): Promise<OtlpHttpReceiver> {
  const receiver = await OtlpHttpReceiver.start({ ...receiverOptions(options), ...options });
  onTestFinished(() => receiver.close(0));
  return receiver;
}

async function startGrpc(options: Partial<OtlpReceiverOptions> = {}): Promise<OtlpGrpcReceiver> {
  const receiver = await OtlpGrpcReceiver.start({ ...receiverOptions(options), ...options });
  onTestFinished(() => receiver.close(0));
  return receiver;
}

/** All entries of a signal as JSON, oldest first. */
async function readLines(store: LogStore, signal: Signal): Promise<string[]> {
  const request = {
    signal,
    filter: ALL,
    range: ALL_TIME,
    order: "oldest",
    budget: BUDGET,
  } as const;
  const texts: string[] = [];
  for await (const { lines } of store.search(request, new AbortController().signal)) {
    texts.push(Buffer.from(lines).toString());
  }
  return texts.join("").split("\n").slice(0, -1);
}

describe("example requests", () => {
  test.each(EXAMPLES)("%s of %s are stored over HTTP as JSON (CONF-001)", async (signal, file) => {
    const store = await openStore(temporaryFolder());
    const { address } = await startHttp({ ingest: store });
    const path = `/v1/${signal}`;
    const answer = await send(address, { path, headers: JSON_TYPE, body: example(file) });
    expect([answer.status, answer.body.toString()]).toEqual([200, "{}"]);
    const { received, stored } = store.counters()[signal];
    expect(stored).toBeGreaterThan(0);
    expect(received).toBe(stored);
  });

  test.each(EXAMPLES)("%s of %s are stored over gRPC (CONF-001)", async (signal, file) => {
    const store = await openStore(temporaryFolder());
    const { address } = await startGrpc({ ingest: store });
    const service = {
      logs: "logs.v1.Logs",
      traces: "trace.v1.Trace",
      metrics: "metrics.v1.Metrics",
    };
    const path = `/opentelemetry.proto.collector.${service[signal]}Service/Export`;
    const message = otlpJsonToProtobuf(signal, example(file));
    expect((await call(address, { path, frames: [frame(message)] })).code).toBe(0);
    expect(store.counters()[signal].stored).toBeGreaterThan(0);
  });
});

describe("a request over HTTP (CONF-002)", () => {
  const body = example("trace.json");
  const protobuf = otlpJsonToProtobuf("traces", body);

  test.each([
    ["application/json", ""],
    ["application/json; charset=utf-8", ""],
    ["APPLICATION/JSON", ""],
    ["application/json", "gzip"],
    ["application/x-protobuf", ""],
    ["application/x-protobuf", "gzip"],
    ["Application/X-Protobuf; messageType=x", ""],
  ])(
    "of type %j, encoded %j, is stored and answered in its type (OTLP-003)",
    async (type, encoding) => {
      const store = await openStore(temporaryFolder());
      const { address } = await startHttp({ ingest: store });
      const isJson = type.toLowerCase().startsWith("application/json");
      const plain = isJson ? body : protobuf;
      const answer = await send(address, {
        path: "/v1/traces",
        headers: { "content-type": type, "content-encoding": encoding },
        body: encoding === "gzip" ? gzipSync(plain) : plain,
      });
      expect(answer.status).toBe(200);
      expect(answer.headers["content-type"]).toBe(
        isJson ? "application/json" : "application/x-protobuf",
      );
      expect(answer.body.toString()).toBe(isJson ? "{}" : "");
      const spans = await readLines(store, "traces");
      expect(spans).toEqual([
        expect.stringContaining('"name":"load weights"'),
        expect.stringContaining('"name":"detect frame"'),
      ]);
      expect(spans[1]).toContain('"trace_id":"0af7651916cd43dd8448eb211c80319c"');
    },
  );

  test.each(
    ["/v1/traces", "/v1/metrics", "/v1/logs"].flatMap((path) => [
      { path, method: "POST", type: "", status: 415 },
      { path, method: "POST", type: "invalid", status: 415 },
      { path, method: "PATCH", type: "application/json", status: 405 },
      { path, method: "GET", type: "application/json", status: 405 },
    ]),
  )(
    "$method $path of type '$type' is $status (OTLP-004)",
    async ({ path, method, type, status }) => {
      const { address } = await startHttp();
      const headers = { "content-type": type };
      expect((await send(address, { path, method, headers, body: "{}" })).status).toBe(status);
    },
  );

  test.each([
    ["JSON that claims gzip", JSON_TYPE, "gzip", 400],
    ["protobuf that claims gzip", PROTOBUF, "gzip", 400],
    ["protobuf that claims zstd", PROTOBUF, "zstd", 415],
    ["JSON that claims what is nothing", JSON_TYPE, "invalid", 415],
  ])("%s is refused in its type (OTLP-005)", async (_what, headers, encoding, status) => {
    const { address } = await startHttp();
    const answer = await send(address, {
      headers: { ...headers, "content-encoding": encoding },
      body: '{"key": "value"}',
    });
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toBe(headers["content-type"]);
    expect(answer.body.length).toBeGreaterThan(0);
  });

  test("of exactly the limit is stored, of one byte more is 413 (OTLP-006)", async () => {
    const store = await openStore(temporaryFolder());
    const fits = await startHttp({ ingest: store, requestBytesMax: body.length });
    const request = { path: "/v1/traces", headers: JSON_TYPE, body };
    expect((await send(fits.address, request)).status).toBe(200);
    const over = await startHttp({ ingest: store, requestBytesMax: body.length - 1 });
    expect((await send(over.address, request)).status).toBe(413);
  });

  test.each([
    ["JSON that is cut", JSON_TYPE, body.subarray(0, -3)],
    ["protobuf that is cut", PROTOBUF, protobuf.subarray(0, -3)],
    ["protobuf of noise", PROTOBUF, Buffer.from("\xff\xff\xff\xff", "latin1")],
  ])("of %s is 400 and stores nothing (OTLP-011)", async (_what, headers, bytes) => {
    const store = await openStore(temporaryFolder());
    const { address } = await startHttp({ ingest: store });
    const answer = await send(address, { path: "/v1/traces", headers, body: bytes });
    expect(answer.status).toBe(400);
    expect(answer.headers["content-type"]).toBe(headers["content-type"]);
    expect(store.counters().traces).toMatchObject({ received: 0, stored: 0 });
  });
});

describe("what the store says reaches the sender, and the next request is taken (CONF-002)", () => {
  const unavailable = { status: "unavailable", message: "busy", retryAfterMs: 1000 } as const;
  const invalid = { status: "invalid", message: "bad" } as const;
  const CASES: readonly {
    readonly what: string;
    readonly result: AppendResult | Error;
    readonly status: number;
    readonly code: number;
  }[] = [
    { what: "stored", result: STORED, status: 200, code: 0 },
    { what: "unavailable", result: unavailable, status: 503, code: 14 },
    { what: "invalid", result: invalid, status: 400, code: 3 },
    { what: "an unknown error", result: new Error("consumer error"), status: 503, code: 14 },
  ];

  test.each(CASES)("$what is $status over HTTP (OTLP-014)", async ({ result, status }) => {
    const options = receiverOptions();
    const { address, stats } = await startHttp(options);
    for (const next of [STORED, result, STORED]) {
      options.ingest.result = next;
      const expected = next === result ? status : 200;
      expect((await send(address, { headers: PROTOBUF, body: "x" })).status).toBe(expected);
    }
    expect(stats.count("http", "stored")).toBe(result === STORED ? 3 : 2);
  });

  test.each(CASES)("$what is code $code over gRPC (OTLP-014)", async ({ result, code }) => {
    const options = receiverOptions();
    const { address, stats } = await startGrpc(options);
    for (const next of [STORED, result, STORED]) {
      options.ingest.result = next;
      const expected = next === result ? code : 0;
      expect((await call(address, { frames: [frame("x")] })).code).toBe(expected);
    }
    expect(stats.count("grpc", "stored")).toBe(result === STORED ? 3 : 2);
  });
});

describe("starting and stopping (CONF-002)", () => {
  test.each([
    ["HTTP", startHttp],
    ["gRPC", startGrpc],
  ])("a port that another program has stops the start of %s", async (_transport, start) => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void other.close());
    const { port } = boundAddress(other);
    await expect(start({ port })).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
  });

  test("what was answered before the stop is in the store, and nothing is taken after it", async () => {
    const store = await openStore(temporaryFolder());
    const http = await startHttp({ ingest: store });
    const grpc = await startGrpc({ ingest: store });
    const [httpAddress, grpcAddress] = [http.address, grpc.address];
    const oneRecord = (index: number): Buffer =>
      Buffer.from(
        JSON.stringify({
          resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { intValue: index } }] }] }],
        }),
      );
    let acknowledged = 0;
    const stop = new AbortController();
    const sender = async (post: (index: number) => Promise<boolean>, first: number) => {
      for (let index = first; !stop.signal.aborted; index += 1) {
        if (await post(index).catch(() => false)) acknowledged += 1;
      }
    };
    const senders = [
      sender(async (index) => {
        const body = oneRecord(index);
        return (await send(httpAddress, { headers: JSON_TYPE, body })).status === 200;
      }, 0),
      sender(async (index) => {
        const message = otlpJsonToProtobuf("logs", oneRecord(index));
        return (await call(grpcAddress, { frames: [frame(message)] })).code === 0;
      }, 1_000_000),
    ];
    await expect.poll(() => acknowledged).toBeGreaterThan(20);
    await Promise.all([http.close(5_000), grpc.close(5_000)]);
    const storedAtStop = store.counters().logs.stored;
    stop.abort();
    await Promise.all(senders);
    expect(acknowledged).toBe(storedAtStop);
    expect(store.counters().logs.stored).toBe(storedAtStop);
  });
});
