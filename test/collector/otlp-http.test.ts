import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { setImmediate } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { TokenAuthenticator } from "../../src/collector/authentication.ts";
import { MemoryLimiter } from "../../src/collector/memory-limiter.ts";
import { OtlpHttpReceiver } from "../../src/collector/otlp-http.ts";
import type { OtlpReceiverOptions } from "../../src/collector/otlp-receiver.ts";
import { systemClock } from "../../src/core/clock.ts";
import { AppError } from "../../src/core/errors.ts";
import { JSON_TYPE, PROTOBUF, send, sendRaw } from "./http-client.ts";
import { STORED } from "./recording-ingest.ts";
import { MIB, receiverOptions } from "./receiver-set-up.ts";

const CRLF = Buffer.from("\r\n");

const running: OtlpHttpReceiver[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((receiver) => receiver.close(0)));
});

async function start(options: Partial<OtlpReceiverOptions> = {}) {
  const all = receiverOptions(options);
  const receiver = await OtlpHttpReceiver.start(all);
  running.push(receiver);
  return { receiver, address: receiver.address, ingest: all.ingest, limiter: all.limiter };
}

function limiterOf(inFlightBytesMax: number): MemoryLimiter {
  return new MemoryLimiter({ inFlightBytesMax, clock: systemClock });
}

function statusOf(body: Buffer): unknown {
  return JSON.parse(body.toString());
}

describe("a request that is stored", () => {
  test.each([
    ["/v1/logs", "logs"],
    ["/v1/traces", "traces"],
    ["/v1/metrics", "metrics"],
  ])("a POST to %s reaches the store as %s, byte for byte (OTLP-001)", async (path, signal) => {
    const { address, ingest, receiver } = await start();
    const answer = await send(address, { path, headers: PROTOBUF, body: "protobuf" });
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe("application/x-protobuf");
    expect(answer.body).toHaveLength(0);
    expect(ingest.requests).toMatchObject([{ signal, principal: "" }]);
    expect(ingest.texts).toEqual(["protobuf"]);
    expect(receiver.stats.count("http", "stored")).toBe(1);
  });

  test("a body is put together from however many pieces it comes in", async () => {
    const { address, ingest, limiter } = await start();
    const pieces = Array.from({ length: 200 }, (_, index) => Buffer.alloc(index * 7, index));
    const whole = Buffer.concat(pieces);
    await send(address, { headers: PROTOBUF, body: whole });
    await send(address, { headers: PROTOBUF, body: pieces });
    expect(ingest.requests.map(({ body }) => whole.equals(body))).toEqual([true, true]);
    expect(limiter.inFlightBytes).toBe(0);
  });

  test.each([
    ["gzip with its length", (body: Buffer) => gzipSync(body)],
    ["gzip in chunks", (body: Buffer) => [...gzipSync(body)].map((byte) => Buffer.from([byte]))],
    ["gzip in two members", (body: Buffer) => Buffer.concat([gzipSync(body), gzipSync("")])],
  ])("%s is inflated (OTLP-005)", async (_what, compress) => {
    const { address, ingest, limiter } = await start();
    const body = Buffer.from("line of text\n".repeat(20_000));
    const headers = { ...PROTOBUF, "content-encoding": "gzip" };
    const answer = await send(address, { headers, body: compress(body) });
    expect(answer.status).toBe(200);
    expect(ingest.requests.map((request) => body.equals(request.body))).toEqual([true]);
    expect(limiter.inFlightBytes).toBe(0);
  });

  test.each(["identity", "", "GZIP", "x-gzip"])(
    "content-encoding %j is understood (OTLP-005)",
    async (encoding) => {
      const { address, ingest } = await start();
      const body = encoding.toLowerCase().includes("gzip") ? gzipSync("bytes") : "bytes";
      const headers = { ...PROTOBUF, "content-encoding": encoding };
      expect((await send(address, { headers, body })).status).toBe(200);
      expect(ingest.texts).toEqual(["bytes"]);
    },
  );

  test("an empty request is answered with success, in exact bytes (OTLP-008, OTLP-009)", async () => {
    const { address, ingest } = await start();
    const protobuf = await send(address, { headers: PROTOBUF });
    expect([protobuf.status, protobuf.body.toString()]).toEqual([200, ""]);
    const json = await send(address, { headers: JSON_TYPE, body: "{}" });
    expect([json.status, json.body.toString()]).toEqual([200, "{}"]);
    expect(ingest.texts).toEqual(["", ""]);
  });

  test("a client that asks before it sends is told to go on", async () => {
    const { address, ingest } = await start();
    const headers = { ...PROTOBUF, expect: "100-continue", "content-length": 5 };
    const request = http.request({ ...address, method: "POST", path: "/v1/logs", headers });
    request.flushHeaders();
    await once(request, "continue");
    request.end("bytes");
    await once(request, "response");
    expect(ingest.texts).toEqual(["bytes"]);
    request.destroy();
  });

  test("a client that asks before it sends is not told to go on where it is refused", async () => {
    const { address } = await start({ requestBytesMax: 4 });
    const headers = { ...PROTOBUF, expect: "100-continue", "content-length": 5 };
    const request = http.request({ ...address, method: "POST", path: "/v1/logs", headers });
    let isToldToGoOn = false;
    request.on("continue", () => {
      isToldToGoOn = true;
    });
    request.flushHeaders();
    const response = await new Promise<http.IncomingMessage>((resolve) => {
      request.once("response", resolve);
    });
    expect([response.statusCode, isToldToGoOn]).toEqual([413, false]);
    request.on("error", () => {}).destroy();
  });

  test("what the store rejected is told, in the encoding of the request (OTLP-010)", async () => {
    const { address, ingest } = await start();
    ingest.result = { ...STORED, rejectedCount: 3, message: "3 records are too large" };
    const answer = await send(address, { path: "/v1/traces", headers: JSON_TYPE, body: "{}" });
    expect(answer.status).toBe(200);
    expect(statusOf(answer.body)).toEqual({
      partialSuccess: { rejectedSpans: "3", errorMessage: "3 records are too large" },
    });
  });
});

describe("a request that the store does not take", () => {
  test("unavailable is 503 with Retry-After and RetryInfo (OTLP-012)", async () => {
    const { address, ingest, receiver } = await start();
    ingest.result = { status: "unavailable", message: "the disk is full", retryAfterMs: 2500 };
    const answer = await send(address, { headers: JSON_TYPE, body: "{}" });
    expect(answer.status).toBe(503);
    expect(answer.headers["retry-after"]).toBe("3");
    expect(statusOf(answer.body)).toMatchObject({ code: 14, message: "the disk is full" });
    expect(JSON.stringify(statusOf(answer.body))).toContain("RetryInfo");
    expect(receiver.stats.count("http", "unavailable")).toBe(1);
  });

  test("invalid is 400 with a BadRequest detail and no Retry-After (OTLP-011)", async () => {
    const { address, ingest } = await start();
    ingest.result = { status: "invalid", message: "field 3 is no string" };
    const answer = await send(address, { headers: JSON_TYPE, body: "{}" });
    expect(answer.status).toBe(400);
    expect(answer.headers["retry-after"]).toBeUndefined();
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(statusOf(answer.body)).toMatchObject({ code: 3, message: "field 3 is no string" });
    expect(JSON.stringify(statusOf(answer.body))).toContain("BadRequest");
  });

  test.each([
    [new Error("boom"), 503, 14],
    [new AppError("STORE_CLOSED", "the store is closed"), 503, 14],
    [new AppError("INTERNAL", "a fault"), 500, 13],
  ])("%s is %d with code %d (OTLP-014)", async (error, status, code) => {
    const { address, ingest } = await start();
    ingest.result = error;
    const answer = await send(address, { headers: JSON_TYPE, body: "{}" });
    expect(answer.status).toBe(status);
    expect(statusOf(answer.body)).toMatchObject({ code });
  });

  test("what broke inside is not told to the sender", async () => {
    const { address, ingest } = await start();
    ingest.result = new Error("/secret/path");
    const answer = await send(address, { headers: JSON_TYPE, body: "{}" });
    expect(answer.body.toString()).not.toContain("secret");
  });
});

describe("a request that is refused before the store", () => {
  test.each([
    ["not JSON", JSON_TYPE, "{", 400],
    ["plain text that claims gzip", { ...JSON_TYPE, "content-encoding": "gzip" }, "{}", 400],
    ["an empty body that claims gzip", { ...JSON_TYPE, "content-encoding": "gzip" }, "", 400],
    ["a cut gzip", { ...JSON_TYPE, "content-encoding": "gzip" }, gzipSync("{}").subarray(9), 400],
    ["brotli", { ...JSON_TYPE, "content-encoding": "br" }, "{}", 415],
    ["gzip in gzip", { ...JSON_TYPE, "content-encoding": "gzip, gzip" }, "{}", 415],
    ["an unknown content type", { "content-type": "text/plain" }, "{}", 415],
    ["a content type that is none", { "content-type": "invalid" }, "{}", 415],
    ["no content type", {}, "{}", 415],
    ["no content type and no body", {}, undefined, 415],
  ])("%s (OTLP-004, OTLP-005, SEC-004)", async (_what, headers, body, status) => {
    const { address, ingest, limiter } = await start();
    const answer = await send(address, { headers, ...(body !== undefined && { body }) });
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(statusOf(answer.body)).toMatchObject({ message: expect.stringMatching(/./) as unknown });
    expect(ingest.requests).toEqual([]);
    expect(limiter.inFlightBytes).toBe(0);
  });

  test("a bad protobuf request gets its status as protobuf (OTLP-011)", async () => {
    const { address } = await start();
    const headers = { ...PROTOBUF, "content-encoding": "gzip" };
    const answer = await send(address, { headers, body: "no gzip" });
    expect(answer.status).toBe(400);
    expect(answer.headers["content-type"]).toBe("application/x-protobuf");
    // google.rpc.Status: field 1, varint, code 3; field 2, the message.
    expect([...answer.body.subarray(0, 3)]).toEqual([0x08, 3, 0x12]);
  });

  test.each([
    ["POST", "/", 404],
    ["POST", "/v1/logs/", 404],
    ["POST", "/v1development/profiles", 404],
    ["GET", "/v1/logs", 405],
    ["GET", "/v1/logs?x=1", 405],
    ["HEAD", "/v1/logs", 405],
    ["PUT", "/v1/traces", 405],
    ["PATCH", "/v1/metrics", 405],
    ["OPTIONS", "/v1/metrics", 405],
    ["POST", "/%zz", 404],
  ])("%s %s is answered with %d (OTLP-004, OTLP-022)", async (method, path, status) => {
    const { address } = await start();
    const answer = await send(address, { method, path, headers: JSON_TYPE });
    expect(answer.status).toBe(status);
    expect(answer.headers.allow).toBe(status === 405 ? "POST" : undefined);
    if (method !== "HEAD") expect(statusOf(answer.body)).toMatchObject({ code: 12 });
  });

  test("bytes that are no HTTP are answered and the connection is closed", async () => {
    const { address, receiver } = await start();
    const text = await sendRaw(address, "NONSENSE\r\n\r\n");
    expect(text).toMatch(/^HTTP\/1\.1 400 .*"code":3/s);
    expect(receiver.stats.count("http", "invalid")).toBe(1);
  });
});

describe("a request's size", () => {
  const requestBytesMax = 100_000;

  test.each([
    ["announced", (size: number) => Buffer.alloc(size)],
    ["in chunks", (size: number) => [Buffer.alloc(size - 1), Buffer.alloc(1)]],
  ])("%s: the limit is taken, one byte more is 413 (OTLP-006)", async (_how, bodyOf) => {
    const { address, ingest, limiter, receiver } = await start({ requestBytesMax });
    const fits = await send(address, { headers: PROTOBUF, body: bodyOf(requestBytesMax) });
    expect(fits.status).toBe(200);
    const over = await send(address, { headers: PROTOBUF, body: bodyOf(requestBytesMax + 1) });
    expect(over.status).toBe(413);
    expect(over.headers["retry-after"]).toBeUndefined();
    expect(ingest.requests.map(({ body }) => body.length)).toEqual([requestBytesMax]);
    expect(receiver.stats.count("http", "too_large")).toBe(1);
    expect(limiter.inFlightBytes).toBe(0);
  });

  test("gzip: the limit holds for what comes out of it too (OTLP-006, SEC-004)", async () => {
    const { address, limiter } = await start({ requestBytesMax });
    const headers = { ...PROTOBUF, "content-encoding": "gzip" };
    const fits = gzipSync(Buffer.alloc(requestBytesMax));
    expect((await send(address, { headers, body: fits })).status).toBe(200);
    const bomb = gzipSync(Buffer.alloc(requestBytesMax + 1));
    expect(bomb.length).toBeLessThan(1024);
    expect((await send(address, { headers, body: bomb })).status).toBe(413);
    expect(limiter.inFlightBytes).toBe(0);
  });

  test("a request that the limiter could never hold is too large, not to be sent again", async () => {
    const { address } = await start({ limiter: limiterOf(1000) });
    const answer = await send(address, { headers: PROTOBUF, body: Buffer.alloc(1001) });
    expect(answer.status).toBe(413);
  });
});

describe("memory", () => {
  test("bodies past the budget are refused before they are read, and it says so (PIPE-002)", async () => {
    const { address, ingest, receiver, limiter } = await start({ limiter: limiterOf(10 * MIB) });
    const open = Promise.withResolvers<void>();
    ingest.gate = open.promise;
    const first = send(address, { headers: PROTOBUF, body: Buffer.alloc(8 * MIB) });
    await expect.poll(() => ingest.requests.length).toBe(1);
    expect(limiter.inFlightBytes).toBe(8 * MIB);

    const refused = await send(address, { headers: JSON_TYPE, body: Buffer.alloc(3 * MIB) });
    expect(refused.status).toBe(503);
    expect(refused.headers["retry-after"]).toBe("1");
    expect(refused.headers.connection).toBe("close");
    expect(statusOf(refused.body)).toMatchObject({
      code: 14,
      message: "data refused due to high memory usage",
    });
    expect(receiver.stats.count("http", "memory")).toBe(1);

    open.resolve();
    expect((await first).status).toBe(200);
    expect(limiter.inFlightBytes).toBe(0);
  });

  test("a client that sends all of a refused body before it reads still gets its answer", async () => {
    const { address, receiver } = await start({ requestBytesMax: 100_000 });
    const socket = net.connect(address.port, address.host);
    socket.pause();
    const write = (bytes: Uint8Array | string): Promise<void> =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => (error ? reject(error) : resolve()));
      });
    const chunk = Buffer.concat([Buffer.from("2710\r\n"), Buffer.alloc(10_000), CRLF]);
    await write("POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n");
    await write("transfer-encoding: chunked\r\n\r\n");
    for (let index = 0; index < 11; index += 1) await write(chunk);
    await expect.poll(() => receiver.stats.count("http", "too_large")).toBe(1);
    for (let index = 0; index < 8; index += 1) {
      await write(chunk);
      await setImmediate();
    }
    const answer = once(socket, "data");
    await write("0\r\n\r\n");
    socket.resume();
    expect(String(await answer)).toMatch(/^HTTP\/1\.1 413 /);
    await once(socket, "close");
  });

  test("a chunked body is refused where it outgrows the budget (PIPE-003)", async () => {
    const { address, ingest, limiter } = await start({ limiter: limiterOf(10 * MIB) });
    const open = Promise.withResolvers<void>();
    ingest.gate = open.promise;
    const first = send(address, { headers: PROTOBUF, body: Buffer.alloc(8 * MIB) });
    await expect.poll(() => ingest.requests.length).toBe(1);
    const chunks = Array.from({ length: 64 }, () => Buffer.alloc(64 * 1024));
    expect((await send(address, { headers: PROTOBUF, body: chunks })).status).toBe(503);
    expect(limiter.inFlightBytes).toBe(8 * MIB);
    open.resolve();
    expect((await first).status).toBe(200);
  });

  test("what gzip expands to counts against the budget (PIPE-003)", async () => {
    const { address, ingest, limiter } = await start({ limiter: limiterOf(10 * MIB) });
    const open = Promise.withResolvers<void>();
    ingest.gate = open.promise;
    const first = send(address, { headers: PROTOBUF, body: Buffer.alloc(8 * MIB) });
    await expect.poll(() => ingest.requests.length).toBe(1);
    const headers = { ...PROTOBUF, "content-encoding": "gzip" };
    const bomb = gzipSync(Buffer.alloc(3 * MIB));
    expect((await send(address, { headers, body: bomb })).status).toBe(503);
    expect(limiter.inFlightBytes).toBe(8 * MIB);
    open.resolve();
    expect((await first).status).toBe(200);
  });

  test("a client that goes away in the middle of its body gives its memory back", async () => {
    const { address, ingest, limiter, receiver } = await start();
    const socket = net.connect(address.port, address.host);
    socket.write("POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n");
    socket.write(`content-length: ${MIB}\r\n\r\nfirst bytes`);
    await expect.poll(() => limiter.inFlightBytes).toBe(MIB);
    socket.destroy();
    await expect.poll(() => limiter.inFlightBytes).toBe(0);
    await expect.poll(() => receiver.stats.count("http", "aborted")).toBe(1);
    expect(ingest.requests).toEqual([]);
  });
});

describe("credentials", () => {
  const authenticator = new TokenAuthenticator([{ name: "robot", token: "s3cret" }]);

  test("a request with a token is stored as its principal (SEC-002)", async () => {
    const { address, ingest } = await start({ authenticator });
    const headers = { ...PROTOBUF, authorization: "Bearer s3cret" };
    expect((await send(address, { headers, body: "x" })).status).toBe(200);
    expect(ingest.requests).toMatchObject([{ principal: "robot" }]);
  });

  test.each([
    ["without a token", {}],
    ["with a wrong token", { authorization: "Bearer wrong" }],
    ["without a token to an unknown path", {}, "/nowhere"],
    ["without a token and with a bad content type", { "content-type": "invalid" }],
  ])("a request %s is 401 and says how (SEC-002)", async (_what, headers, path = "/v1/logs") => {
    const { address, ingest, receiver } = await start({ authenticator });
    const answer = await send(address, { path, headers: { ...JSON_TYPE, ...headers }, body: "{}" });
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toBe("Bearer");
    expect(statusOf(answer.body)).toMatchObject({ code: 16 });
    expect(receiver.stats.count("http", "auth")).toBe(1);
    expect(ingest.requests).toEqual([]);
  });

  test("1 GiB without a token is answered before it is sent, and costs nothing (SEC-003)", async () => {
    const { address, limiter } = await start({ authenticator, limits: { lingerMs: 50 } });
    const text = await sendRaw(
      address,
      "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n" +
        `content-encoding: gzip\r\ncontent-length: ${1024 * MIB}\r\n\r\nfirst bytes`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 401 .*connection: close.*"code":16/is);
    expect(limiter.refusedCount).toBe(0);
  });
});

describe("slow clients (SEC-006)", () => {
  test("headers that do not end are cut off", async () => {
    const { address } = await start({ limits: { headersMs: 100 } });
    const text = await sendRaw(address, "POST /v1/logs HTTP/1.1\r\nhost: x\r\nx-a: ");
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
  });

  test("a connection that says nothing is closed", async () => {
    const { address } = await start({ limits: { headersMs: 100 } });
    expect(await sendRaw(address, "")).toMatch(/^HTTP\/1\.1 408 /);
  });

  test("a body that stops coming gives its memory back and is answered with 408", async () => {
    const { address, limiter, receiver } = await start({ limits: { bodyGraceMs: 50 } });
    const text = await sendRaw(
      address,
      "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n" +
        `content-length: ${MIB}\r\n\r\n{`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(limiter.inFlightBytes).toBe(0);
    expect(receiver.stats.count("http", "slow")).toBe(1);
  });

  test("connections past the limit are not taken", async () => {
    const { address } = await start({ limits: { connectionsMax: 1 } });
    const first = net.connect(address.port, address.host);
    await once(first, "connect");
    const agent = new http.Agent();
    await expect(send(address, { headers: PROTOBUF, body: "x", agent })).rejects.toThrow(/./);
    first.destroy();
  });
});

describe("starting and stopping", () => {
  test("a port that is taken is ADDRESS_IN_USE, with the address", async () => {
    const { address } = await start();
    await expect(start({ port: address.port })).rejects.toMatchObject({
      code: "ADDRESS_IN_USE",
      message: expect.stringContaining(`127.0.0.1:${address.port}`) as unknown,
    });
  });

  test("an address that is not of this machine is LISTEN_FAILED", async () => {
    await expect(start({ host: "192.0.2.1" })).rejects.toMatchObject({ code: "LISTEN_FAILED" });
  });

  test("a certificate that is none is CONFIG_INVALID (SEC-002)", async () => {
    const tls = { cert: "no certificate", key: "no key" };
    await expect(start({ tls })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  test("localhost is one socket on 127.0.0.1 (OTLP-001)", async () => {
    const { address } = await start({ host: "localhost" });
    expect(address.host).toBe("127.0.0.1");
  });

  test("closing answers what is running, and refuses what comes after it", async () => {
    const { address, ingest, receiver } = await start();
    const open = Promise.withResolvers<void>();
    ingest.gate = open.promise;
    const request =
      "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n" +
      "content-length: 1\r\n\r\nx";
    const socket = net.connect(address.port, address.host);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.write(request);
    await expect.poll(() => ingest.requests.length).toBe(1);
    const closed = receiver.close(10_000);
    await new Promise((resolve) => socket.write(request, resolve));
    await expect.poll(() => receiver.stats.count("http", "closing")).toBe(1);
    open.resolve();
    await once(socket, "close");
    await closed;
    const statuses = Buffer.concat(chunks)
      .toString()
      .match(/HTTP\/1\.1 \d+/g);
    expect(statuses).toEqual(["HTTP/1.1 200", "HTTP/1.1 503"]);
    expect(ingest.requests).toHaveLength(1);
    await expect(send(address, { headers: PROTOBUF, body: "x" })).rejects.toThrow(/ECONNREFUSED/);
  });

  test("a request that does not end is given up at the deadline", async () => {
    const { address, ingest, receiver } = await start();
    ingest.gate = new Promise(() => {});
    const stuck = send(address, { headers: PROTOBUF, body: "x" });
    await expect.poll(() => ingest.requests.length).toBe(1);
    await Promise.all([expect(stuck).rejects.toThrow(/./), receiver.close(50)]);
  });
});
