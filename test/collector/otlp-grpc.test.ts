import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { TokenAuthenticator } from "../../src/collector/authentication.ts";
import { MemoryLimiter } from "../../src/collector/memory-limiter.ts";
import { OtlpGrpcReceiver } from "../../src/collector/otlp-grpc.ts";
import type { OtlpReceiverOptions } from "../../src/collector/otlp-receiver.ts";
import { systemClock } from "../../src/core/clock.ts";
import { AppError } from "../../src/core/errors.ts";
import { call, callRaw, frame, LOGS_PATH, withSession } from "./grpc-client.ts";
import { sendRaw } from "./http-client.ts";
import { STORED } from "./recording-ingest.ts";
import { MIB, receiverOptions } from "./receiver-set-up.ts";

const OK = 0;
const INVALID_ARGUMENT = 3;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

const running: OtlpGrpcReceiver[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((receiver) => receiver.close(0)));
});

async function start(options: Partial<OtlpReceiverOptions> = {}) {
  const all = receiverOptions(options);
  const receiver = await OtlpGrpcReceiver.start(all);
  running.push(receiver);
  return { receiver, address: receiver.address, ingest: all.ingest, limiter: all.limiter };
}

function limiterOf(inFlightBytesMax: number): MemoryLimiter {
  return new MemoryLimiter({ inFlightBytesMax, clock: systemClock });
}

describe("a call that is stored", () => {
  test.each([
    ["logs.v1.LogsService", "logs"],
    ["trace.v1.TraceService", "traces"],
    ["metrics.v1.MetricsService", "metrics"],
  ])("Export of %s reaches the store, byte for byte (OTLP-002)", async (service, signal) => {
    const { address, ingest, receiver } = await start();
    const path = `/opentelemetry.proto.collector.${service}/Export`;
    const answer = await call(address, { path, frames: [frame("protobuf")] });
    expect(answer.code).toBe(OK);
    expect([...answer.data]).toEqual([0, 0, 0, 0, 0]);
    expect(ingest.requests).toMatchObject([{ signal, principal: "" }]);
    expect(ingest.texts).toEqual(["protobuf"]);
    expect(receiver.stats.count("grpc", "stored")).toBe(1);
  });

  test("a message is put together from however many pieces it comes in", async () => {
    const { address, ingest, limiter } = await start();
    const message = Buffer.alloc(3 * MIB, "dataflow");
    const framed = frame(message);
    await call(address, { frames: [framed] });
    const bytes = [...frame("small")].map((byte) => Buffer.from([byte]));
    await call(address, { frames: bytes });
    expect(ingest.requests.map(({ body }) => body.length)).toEqual([3 * MIB, 5]);
    expect(message.equals(ingest.requests[0]?.body ?? Buffer.alloc(0))).toBe(true);
    expect(limiter.inFlightBytes).toBe(0);
  });

  test("gzip is inflated where the message's flag says so (OTLP-005)", async () => {
    const { address, ingest, limiter } = await start();
    const body = Buffer.from("line of text\n".repeat(20_000));
    const headers = { "grpc-encoding": "gzip" };
    const frames = [frame(gzipSync(body), { flag: 1 })];
    expect((await call(address, { headers, frames })).code).toBe(OK);
    expect((await call(address, { headers, frames: [frame("plain")] })).code).toBe(OK);
    expect(ingest.requests.map((request) => request.body.length)).toEqual([body.length, 5]);
    expect(limiter.inFlightBytes).toBe(0);
  });

  test("an empty message is answered with success (OTLP-009)", async () => {
    const { address, ingest } = await start();
    expect((await call(address, { frames: [frame("")] })).code).toBe(OK);
    expect(ingest.texts).toEqual([""]);
  });

  test("what the store rejected is told in the response (OTLP-010)", async () => {
    const { address, ingest } = await start();
    ingest.result = { ...STORED, rejectedCount: 3, message: "too large" };
    const answer = await call(address, { frames: [frame("x")] });
    // partial_success: field 1 { rejected: field 1 = 3, error_message: field 2 }.
    const partial = Buffer.from([0x0a, 13, 0x08, 3, 0x12, 9, ...Buffer.from("too large")]);
    expect(answer.data.equals(frame(partial))).toBe(true);
  });

  test("a hundred calls at once on one connection are all answered (OTLP-021)", async () => {
    const { address, ingest } = await start();
    const codes = await withSession(address, (session) =>
      Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          return (await callRaw(session, { frames: [frame(`call ${index}`)] })).code;
        }),
      ),
    );
    expect(new Set(codes)).toEqual(new Set([OK]));
    expect(new Set(ingest.texts).size).toBe(100);
  });
});

describe("a call that the store does not take", () => {
  test("unavailable is UNAVAILABLE with RetryInfo in the details (OTLP-013)", async () => {
    const { address, ingest, receiver } = await start();
    ingest.result = {
      status: "unavailable",
      message: "the disk is 100 % full",
      retryAfterMs: 2500,
    };
    const answer = await call(address, { frames: [frame("x")] });
    expect(answer.code).toBe(UNAVAILABLE);
    expect(answer.message).toBe("the disk is 100 % full");
    expect(answer.details.toString("latin1")).toContain("google.rpc.RetryInfo");
    expect(answer.details.toString("latin1")).toContain("the disk is 100 % full");
    expect(receiver.stats.count("grpc", "unavailable")).toBe(1);
  });

  test("invalid is INVALID_ARGUMENT with a BadRequest detail and no RetryInfo (OTLP-013)", async () => {
    const { address, ingest } = await start();
    ingest.result = { status: "invalid", message: "field 3 is no string" };
    const answer = await call(address, { frames: [frame("x")] });
    expect(answer).toMatchObject({ code: INVALID_ARGUMENT, message: "field 3 is no string" });
    expect(answer.details.toString("latin1")).toContain("google.rpc.BadRequest");
    expect(answer.details.toString("latin1")).not.toContain("RetryInfo");
  });

  test.each([
    [new Error("boom"), UNAVAILABLE],
    [new AppError("STORE_CLOSED", "the store is closed"), UNAVAILABLE],
    [new AppError("INTERNAL", "a fault"), 13],
  ])("%s has code %d (OTLP-014)", async (error, code) => {
    const { address, ingest } = await start();
    ingest.result = error;
    expect((await call(address, { frames: [frame("x")] })).code).toBe(code);
  });

  test("a message for people that no header can hold still arrives", async () => {
    const { address, ingest } = await start();
    ingest.result = { status: "invalid", message: "naïve\r\nÜ \ud800 😀" };
    const answer = await call(address, { frames: [frame("x")] });
    expect(answer.message).toBe("naïve\r\nÜ \ufffd 😀");
    ingest.result = { status: "invalid", message: "x".repeat(100_000) };
    expect((await call(address, { frames: [frame("x")] })).message).toMatch(/^x{900,1100}/);
  });
});

describe("a call that is refused before the store", () => {
  test.each([
    ["/opentelemetry.proto.collector.logs.v1.LogsService/Other"],
    ["/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"],
    ["/"],
  ])("%s is UNIMPLEMENTED (OTLP-022)", async (path) => {
    const { address } = await start();
    expect((await call(address, { path, frames: [frame("x")] })).code).toBe(UNIMPLEMENTED);
  });

  test.each([
    ["no message", []],
    ["half a prefix", [Buffer.from([0, 0, 0])]],
    ["half a message", [frame("half", { lengthBytes: 8 })]],
    ["two messages", [frame("one"), frame("two")]],
    ["bytes after the message", [frame("one"), Buffer.from([0])]],
    ["a flag that does not exist", [frame("x", { flag: 2 })]],
    ["a bad gzip", [frame("no gzip", { flag: 1 })]],
    ["an empty gzip", [frame("", { flag: 1 })]],
    ["a cut gzip", [frame(gzipSync("text").subarray(0, 12), { flag: 1 })]],
  ])("%s is INVALID_ARGUMENT, and the next call is answered (OTLP-019)", async (_what, frames) => {
    const { address, ingest, limiter } = await start();
    const headers = { "grpc-encoding": "gzip" };
    await withSession(address, async (session) => {
      expect((await callRaw(session, { headers, frames })).code).toBe(INVALID_ARGUMENT);
      expect((await callRaw(session, { frames: [frame("next")] })).code).toBe(OK);
    });
    expect(ingest.texts).toEqual(["next"]);
    expect(limiter.inFlightBytes).toBe(0);
  });

  test("bytes after the message are refused at once, not gathered", async () => {
    const { address } = await start({ limits: { lingerMs: 50 } });
    const frames = [frame("one"), frame("first bytes", { lengthBytes: 64 * MIB })];
    const answer = await call(address, { frames, isOpen: true });
    expect(answer).toMatchObject({
      code: INVALID_ARGUMENT,
      message: "a unary call has one message",
    });
  });

  test.each(["deflate", "br", "identity"])(
    "a message compressed as %s is UNIMPLEMENTED (OTLP-005)",
    async (encoding) => {
      const { address } = await start();
      const headers = { "grpc-encoding": encoding };
      const answer = await call(address, { headers, frames: [frame(gzipSync("x"), { flag: 1 })] });
      expect(answer.code).toBe(UNIMPLEMENTED);
    },
  );

  test("a request that is no gRPC is answered in HTTP's words", async () => {
    const { address } = await start();
    const headers = { "content-type": "application/json" };
    expect((await call(address, { headers, frames: [] })).httpStatus).toBe(415);
    expect((await call(address, { headers: { ":method": "GET" }, frames: [] })).httpStatus).toBe(
      405,
    );
  });

  test("bytes that are no HTTP/2 end the connection, not the service", async () => {
    const { address } = await start();
    await sendRaw(address, "GET / HTTP/1.1\r\n\r\n");
    expect((await call(address, { frames: [frame("x")] })).code).toBe(OK);
  });
});

describe("a message's size", () => {
  const requestBytesMax = 100_000;

  test("the limit is taken, one byte more is RESOURCE_EXHAUSTED without RetryInfo (OTLP-006, OTLP-020)", async () => {
    const { address, ingest, receiver } = await start({ requestBytesMax });
    const fits = await call(address, { frames: [frame(Buffer.alloc(requestBytesMax))] });
    expect(fits.code).toBe(OK);
    const over = await call(address, { frames: [frame(Buffer.alloc(requestBytesMax + 1))] });
    expect(over.code).toBe(RESOURCE_EXHAUSTED);
    expect(over.details).toHaveLength(0);
    expect(ingest.requests.map(({ body }) => body.length)).toEqual([requestBytesMax]);
    expect(receiver.stats.count("grpc", "too_large")).toBe(1);
  });

  test("the limit holds for what comes out of gzip too (OTLP-006, SEC-004)", async () => {
    const { address, limiter } = await start({ requestBytesMax });
    const headers = { "grpc-encoding": "gzip" };
    const bomb = frame(gzipSync(Buffer.alloc(requestBytesMax + 1)), { flag: 1 });
    const answer = await call(address, { headers, frames: [bomb] });
    expect(answer.code).toBe(RESOURCE_EXHAUSTED);
    expect(limiter.inFlightBytes).toBe(0);
  });

  test("a length that is only claimed is refused after five bytes (OTLP-006)", async () => {
    const { address, limiter } = await start({ limits: { lingerMs: 50 } });
    const claimed = frame("", { lengthBytes: 0xffff_ffff });
    const answer = await call(address, { frames: [claimed], isOpen: true });
    expect(answer.code).toBe(RESOURCE_EXHAUSTED);
    expect(limiter.inFlightBytes).toBe(0);
  });
});

describe("memory", () => {
  test("a message past the budget is refused before it is read (PIPE-002, PIPE-003)", async () => {
    const { address, ingest, limiter, receiver } = await start({
      limiter: limiterOf(10 * MIB),
      limits: { lingerMs: 50 },
    });
    const open = Promise.withResolvers<void>();
    ingest.gate = open.promise;
    const first = call(address, { frames: [frame(Buffer.alloc(8 * MIB))] });
    await expect.poll(() => ingest.requests.length).toBe(1);

    const claimed = frame("first bytes", { lengthBytes: 3 * MIB });
    const refused = await call(address, { frames: [claimed], isOpen: true });
    expect(refused).toMatchObject({
      code: UNAVAILABLE,
      message: "data refused due to high memory usage",
    });
    expect(refused.details.toString("latin1")).toContain("google.rpc.RetryInfo");
    expect(receiver.stats.count("grpc", "memory")).toBe(1);
    expect(limiter.inFlightBytes).toBe(8 * MIB);

    open.resolve();
    expect((await first).code).toBe(OK);
    expect(limiter.inFlightBytes).toBe(0);
  });

  test("a call that is cancelled gives its memory back, and its connection goes on", async () => {
    const { address, limiter, receiver } = await start();
    await withSession(address, async (session) => {
      const stream = session.request({
        ":method": "POST",
        ":path": LOGS_PATH,
        "content-type": "application/grpc",
      });
      stream.write(frame("first bytes", { lengthBytes: MIB }));
      await expect.poll(() => limiter.inFlightBytes).toBe(MIB);
      stream.destroy();
      await expect.poll(() => limiter.inFlightBytes).toBe(0);
      expect(receiver.stats.snapshot()).toEqual([
        { transport: "grpc", outcome: "aborted", count: 1 },
      ]);
      expect((await callRaw(session, { frames: [frame("next")] })).code).toBe(OK);
    });
  });
});

describe("credentials", () => {
  const authenticator = new TokenAuthenticator([{ name: "robot", token: "s3cret" }]);

  test("a call with a token is stored as its principal (SEC-002)", async () => {
    const { address, ingest } = await start({ authenticator });
    const headers = { authorization: "Bearer s3cret" };
    expect((await call(address, { headers, frames: [frame("x")] })).code).toBe(OK);
    expect(ingest.requests).toMatchObject([{ principal: "robot" }]);
  });

  test.each([
    ["without a token", {}],
    ["with a wrong one", { authorization: "Bearer wrong" }],
  ])("a call %s is UNAUTHENTICATED (SEC-002)", async (_what, headers) => {
    const { address, ingest, receiver } = await start({ authenticator });
    expect((await call(address, { headers, frames: [frame("x")] })).code).toBe(UNAUTHENTICATED);
    expect(ingest.requests).toEqual([]);
    expect(receiver.stats.count("grpc", "auth")).toBe(1);
  });

  test("it is answered before its message is read (SEC-003)", async () => {
    const { address, limiter } = await start({ authenticator, limits: { lingerMs: 50 } });
    const claimed = frame("first bytes", { lengthBytes: 64 * MIB });
    const answer = await call(address, { frames: [claimed], isOpen: true });
    expect(answer.code).toBe(UNAUTHENTICATED);
    expect(limiter.refusedCount).toBe(0);
  });
});

describe("slow clients (SEC-006)", () => {
  test("a message that stops coming gives its memory back", async () => {
    const limits = { bodyGraceMs: 50, lingerMs: 50 };
    const { address, limiter, receiver } = await start({ limits });
    const claimed = frame("first bytes", { lengthBytes: MIB });
    await call(address, { frames: [claimed], isOpen: true });
    expect(limiter.inFlightBytes).toBe(0);
    expect(receiver.stats.count("grpc", "slow")).toBe(1);
  });

  test("a connection that says nothing is closed", async () => {
    const { address } = await start({ limits: { headersMs: 100 } });
    const socket = net.connect(address.port, address.host);
    await once(socket.resume(), "close");
  });

  test("a connection without calls is closed in good order", async () => {
    const { address } = await start({ limits: { idleMs: 100 } });
    await withSession(address, async (session) => {
      await callRaw(session, { frames: [frame("x")] });
      expect((await once(session, "goaway")).slice(0, 1)).toEqual([
        http2.constants.NGHTTP2_NO_ERROR,
      ]);
    });
  });
});

describe("connections", () => {
  test("past the limit are not taken (SEC-006)", async () => {
    const { address } = await start({ limits: { connectionsMax: 1 } });
    await withSession(address, async (session) => {
      const second = net.connect(address.port, address.host);
      await once(second.resume(), "close");
      expect((await callRaw(session, { frames: [frame("x")] })).code).toBe(OK);
    });
  });

  test("are not idle while a call waits for the store", async () => {
    const { address, ingest } = await start({ limits: { idleMs: 50 } });
    const open = Promise.withResolvers<void>();
    ingest.gate = open.promise;
    await withSession(address, async (session) => {
      const waiting = callRaw(session, { frames: [frame("x")] });
      await once(session, "goaway");
      open.resolve();
      expect((await waiting).code).toBe(OK);
    });
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

  test("a certificate that is none is CONFIG_INVALID (SEC-002)", async () => {
    const tls = { cert: "no certificate", key: "no key" };
    await expect(start({ tls })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  test("closing answers the calls that are running, then ends the connections", async () => {
    const { address, ingest, receiver } = await start();
    const open = Promise.withResolvers<void>();
    ingest.gate = open.promise;
    await withSession(address, async (session) => {
      const first = callRaw(session, { frames: [frame("x")] });
      await expect.poll(() => ingest.requests.length).toBe(1);
      const closed = receiver.close(10_000);
      open.resolve();
      expect((await first).code).toBe(OK);
      await closed;
    });
  });

  test("a call that does not end is given up at the deadline", async () => {
    const { address, ingest, receiver } = await start();
    ingest.gate = new Promise(() => {});
    await withSession(address, async (session) => {
      const stuck = callRaw(session, { frames: [frame("x")] }).catch(() => undefined);
      await expect.poll(() => ingest.requests.length).toBe(1);
      await receiver.close(50);
      await stuck;
    });
  });
});
