/** Clients that mean no good: each does one thing that an open service must survive. */
import { Agent, request as httpRequest } from "node:http";
import http2 from "node:http2";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { OtlpLogWriter } from "../../bench/otlp-writer.ts";
import type { Random } from "../../bench/random.ts";
import { LOGS_PATH } from "../collector/grpc-client.ts";

/** `HOST:PORT` of each. */
export interface Victim {
  readonly otlpHttp: string;
  readonly otlpGrpc: string;
}

/** How often each answer came: an HTTP status, `grpc CODE`, or "cut" where the connection ended. */
export class Answers {
  readonly #counts = new Map<string, number>();

  add(answer: string | number): void {
    const name = String(answer);
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** The answers that are none of these. */
  others(expected: readonly string[]): readonly string[] {
    return [...this.#counts.keys()].filter((name) => !expected.includes(name));
  }

  count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  toString(): string {
    return [...this.#counts].map(([name, count]) => `${count} x ${name}`).join(", ");
  }
}

interface Post {
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent one after the other, as one body. */
  readonly parts: readonly Uint8Array[];
  readonly agent?: Agent;
  readonly method?: string;
}

/** One request over HTTP. */
function post(host: string, call: Post): Promise<string> {
  return new Promise((resolve) => {
    const length = call.parts.reduce((sum, part) => sum + part.length, 0);
    const request = httpRequest(
      `http://${host}${call.path ?? "/v1/logs"}`,
      {
        method: call.method ?? "POST",
        agent: call.agent ?? false,
        headers: { "content-length": length, ...call.headers },
      },
      (response) => {
        response.resume();
        const status = String(response.statusCode);
        // Its rest may never be sent: the answer is what counts.
        response.once("end", () => resolve(status));
        response.once("close", () => resolve(status));
      },
    );
    request.once("error", () => resolve("cut"));
    for (const part of call.parts) request.write(part);
    request.end();
  });
}

/** One call over gRPC, on a connection of its own. */
async function callGrpc(
  host: string,
  message: readonly Uint8Array[],
  isGzip: boolean,
): Promise<string> {
  // Else the client itself resets a call whose message waits to be sent.
  const session = http2.connect(`http://${host}`, { maxSessionMemory: 256 });
  session.on("error", () => {});
  const stream = session.request({
    ":method": "POST",
    ":path": LOGS_PATH,
    "content-type": "application/grpc",
    te: "trailers",
    ...(isGzip ? { "grpc-encoding": "gzip" } : {}),
  });
  stream.on("error", () => {});
  let code: string | undefined;
  const read = (headers: http2.IncomingHttpHeaders): void => {
    const status = headers["grpc-status"];
    if (typeof status === "string") code = status;
  };
  stream.on("response", read).on("trailers", read).resume();
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(isGzip ? 1 : 0, 0);
  prefix.writeUInt32BE(
    message.reduce((sum, part) => sum + part.length, 0),
    1,
  );
  for (const part of [prefix, ...message]) stream.write(part);
  stream.end();
  // Not `once`, which takes a reset for a failure of its own.
  await new Promise((resolve) => stream.once("close", resolve));
  session.destroy();
  return code === undefined ? "cut" : `grpc ${code}`;
}

const MEBIBYTE = 1024 * 1024;
const PROTOBUF = "application/x-protobuf";
const JSON_TYPE = "application/json";

/** A request of nearly `sizeBytes`, all of it valid. */
function largeRequest(sizeBytes: number, bodyChars: number, random: Random): Uint8Array {
  const writer = new OtlpLogWriter();
  const logs = Array.from({ length: Math.floor(sizeBytes / (bodyChars + 60)) }, (_, index) => ({
    timeUnixNs: BigInt(Date.now()) * 1_000_000n + BigInt(index),
    severityNumber: 9,
    severityText: "",
    body: `${index} ${random.hex(8)}`.padEnd(bodyChars, "payload "),
    attributes: [],
    traceId: "",
    spanId: "",
  }));
  const resource = [["service.name", "hostile"]] as const;
  return writer.encodeRequest([{ resource, scopeName: "large", logs }]);
}

/** A small valid request, which makes a larger one that it is appended to a request of its own. */
function smallRequest(name: string): Uint8Array {
  const resource = [["service.name", "hostile"]] as const;
  return new OtlpLogWriter().encodeRequest([
    {
      resource,
      scopeName: "small",
      logs: [
        {
          timeUnixNs: BigInt(Date.now()) * 1_000_000n,
          severityNumber: 17,
          severityText: "ERROR",
          body: `hostile ${name}`,
          attributes: [
            ["depth", 3],
            ["ratio", 0.5],
            ["is.bad", true],
          ],
          traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
          spanId: "00f067aa0ba902b7",
        },
      ],
    },
  ]);
}

/** Clients that send bodies of almost 64 MiB, all at once, each of them `attempts` times. */
export async function sendLargeBodies(
  victim: Victim,
  { clientCount, attempts, random }: LargeOptions,
): Promise<Answers> {
  const size = 63 * MEBIBYTE;
  const kinds = [
    { type: PROTOBUF, body: largeRequest(size, 200, random) },
    { type: PROTOBUF, body: largeRequest(size, 1_000_000, random) },
    { type: PROTOBUF, body: Buffer.alloc(size, 0xff) },
    { type: JSON_TYPE, body: Buffer.alloc(size, '{"resourceLogs":[{"scopeLogs":[{"logRecords":[') },
  ];
  const answers = new Answers();
  const client = async (index: number): Promise<void> => {
    const kind = random.pick(kinds);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const parts = [kind.body, smallRequest(`large ${index} ${attempt}`)];
      if (index % 5 === 4) answers.add(await callGrpc(victim.otlpGrpc, parts, false));
      else
        answers.add(await post(victim.otlpHttp, { headers: { "content-type": kind.type }, parts }));
    }
  };
  await Promise.all(Array.from({ length: clientCount }, (_, index) => client(index)));
  return answers;
}

export interface LargeOptions {
  readonly clientCount: number;
  readonly attempts: number;
  readonly random: Random;
}

/** Bodies of 1 to 64 KiB that become up to 1 GiB; also in two layers, and such as are valid. */
export async function sendBombs(victim: Victim, count: number): Promise<Answers> {
  const zeros = gzipSync(Buffer.alloc(65 * MEBIBYTE));
  const twoLayers = gzipSync(gzipSync(Buffer.alloc(256 * MEBIBYTE)));
  const message = Buffer.from(smallRequest("bomb"));
  const valid = gzipSync(Buffer.alloc(60 * MEBIBYTE - ((60 * MEBIBYTE) % message.length), message));
  const bombs = [
    { body: zeros, encoding: "gzip" },
    { body: twoLayers, encoding: "gzip" },
    { body: twoLayers, encoding: "gzip, gzip" },
    { body: valid, encoding: "gzip" },
    { body: Buffer.concat([zeros, zeros]), encoding: "gzip" },
  ];
  const answers = new Answers();
  const client = async (index: number): Promise<void> => {
    const { body, encoding } = bombs[index % bombs.length] ?? { body: zeros, encoding: "gzip" };
    const headers = { "content-type": PROTOBUF, "content-encoding": encoding };
    if (index % 4 === 3) answers.add(await callGrpc(victim.otlpGrpc, [body], true));
    else answers.add(await post(victim.otlpHttp, { headers, parts: [body] }));
  };
  await Promise.all(Array.from({ length: count }, (_, index) => client(index)));
  return answers;
}

/** Where a slow client stops being in a hurry. */
export type SlowPlace = "headers" | "body";

/** Clients that send a byte a quarter second; resolves once the service cut off every one. */
export async function crawl(victim: Victim, count: number, place: SlowPlace): Promise<void> {
  const [host = "", port = ""] = victim.otlpHttp.split(":");
  const head = "POST /v1/logs HTTP/1.1\r\nhost: dora\r\n";
  const start =
    place === "headers"
      ? head
      : `${head}content-type: ${PROTOBUF}\r\ncontent-length: ${MEBIBYTE}\r\n\r\n`;
  const client = async (): Promise<void> => {
    const socket = connect(Number(port), host);
    socket.on("error", () => {}).resume();
    const timer = setInterval(() => socket.write("x"), 250);
    socket.write(start);
    await new Promise((resolve) => socket.once("close", resolve));
    clearInterval(timer);
  };
  await Promise.all(Array.from({ length: count }, client));
}

const FUZZ_CONCURRENCY = 32;
/** A tenth of the requests is sent as something else than it is. */
const FUZZ_STRANGE_SHARE = 0.1;
const FUZZ_PATHS = ["/v1/logs", "/v1/traces", "/v1/metrics", "/v1/x"];
const FUZZ_TYPES = [PROTOBUF, JSON_TYPE, "text/plain", "", `${JSON_TYPE};q=\u00ff`];
const FUZZ_ENCODINGS = ["br", "gzip,gzip", "", "gzip", "identity"];

/** Requests that were valid once, with random bytes changed, cut, doubled and sent as anything. */
export async function sendFuzz(
  victim: Victim,
  { count, random, seeds }: FuzzOptions,
): Promise<Answers> {
  const agent = new Agent({ keepAlive: true, maxSockets: FUZZ_CONCURRENCY });
  const answers = new Answers();
  let left = count;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const seed = random.pick(seeds);
      const isStrange = (): boolean => random.chance(FUZZ_STRANGE_SHARE);
      const encoding = isStrange()
        ? random.pick(FUZZ_ENCODINGS)
        : random.pick(["gzip", "identity"]);
      let body = mutate(seed.body, random);
      if (encoding === "gzip" && !isStrange()) {
        body = gzipSync(body);
        if (isStrange()) body = mutate(body, random);
      }
      const contentType = isStrange() ? random.pick(FUZZ_TYPES) : seed.contentType;
      const call = {
        path: isStrange() ? random.pick(FUZZ_PATHS) : seed.path,
        headers: { "content-type": contentType, "content-encoding": encoding },
        parts: [body],
        agent,
        method: random.chance(0.02) ? "PUT" : "POST",
      };
      answers.add(await post(victim.otlpHttp, call));
    }
  };
  await Promise.all(Array.from({ length: FUZZ_CONCURRENCY }, client));
  agent.destroy();
  return answers;
}

export interface FuzzOptions {
  readonly count: number;
  readonly random: Random;
  readonly seeds: readonly FuzzSeed[];
}

/** A valid request. */
export interface FuzzSeed {
  readonly path: string;
  readonly contentType: string;
  readonly body: Buffer;
}

/** One to eight changes. */
function mutate(seed: Buffer, random: Random): Buffer {
  let bytes = Buffer.from(seed);
  for (let change = random.between(1, 8); change > 0 && bytes.length > 0; change--) {
    const at = random.between(0, bytes.length - 1);
    const kind = random.between(0, 4);
    if (kind === 0) bytes[at] = random.between(0, 255);
    else if (kind === 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
    else if (kind === 2) bytes = bytes.subarray(0, at);
    else if (kind === 3)
      bytes.fill(
        random.pick([0, 0x7f, 0x80, 0xff]),
        at,
        Math.min(bytes.length, at + random.between(1, 9)),
      );
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random.between(0, at))]);
  }
  return bytes;
}
