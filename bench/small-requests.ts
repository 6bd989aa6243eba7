/**
 * Measures small requests: so many a second of 10 records each, over keep-alive connections, to a
 * real `dora serve` that syncs before each answer. A request's time begins when it is due, whether
 * or not a connection is free, so waiting for one counts.
 *
 *     node bench/small-requests.ts [--rate 5000] [--connections 64] [--seconds 10]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { encodeLogsRequest } from "../src/wire/otlp-encode.ts";
import { startServe } from "../test/serve-process.ts";
import { cpuSeconds, machineLine, peakResidentBytes } from "./process-usage.ts";

const ROWS = 10;

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "5000" },
    connections: { type: "string", default: "64" },
    seconds: { type: "string", default: "10" },
  },
});
const rate = Number(values.rate);
const seconds = Number(values.seconds);

/** One connection with one request at a time. The answer's body has a length, and fits a chunk. */
class Client {
  readonly #socket: Socket;
  #onAnswer: (status: number) => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (data) => this.#onAnswer(Number(data.toString("latin1", 9, 12))));
  }

  send(bytes: Buffer, onAnswer: (status: number) => void): void {
    this.#onAnswer = onAnswer;
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }
}

let sequence = 0;

/** Records that differ from all before, or they would be known as retries. */
function requestBytes(): Buffer {
  const timeUnixNs = BigInt(Date.now()) * 1_000_000n;
  const body = encodeLogsRequest({
    resource: new Map([["service.name", "camera"]]),
    scopeName: "bench",
    records: Array.from({ length: ROWS }, () => {
      sequence += 1;
      return {
        timeUnixNs,
        severityNumber: 9,
        severityText: "INFO",
        body: `frame ${sequence} captured in ${sequence % 17} ms`,
        attributes: new Map([["frame", BigInt(sequence)]]),
      };
    }),
  });
  const head =
    "POST /v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n" +
    `content-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), body]);
}

const directory = mkdtempSync(join(tmpdir(), "dora-small-"));
const service = await startServe({ dataDirectory: join(directory, "store") });
try {
  console.log(machineLine());
  const { hostname, port } = new URL(service.otlpHttp);
  const clients = Array.from({ length: Number(values.connections) }, () => {
    return new Client(connect(Number(port), hostname));
  });
  await run(clients, 2);
  const cpuBefore = cpuSeconds(service.pid);
  const { times, refused } = await run(clients, seconds);
  const cpu = cpuSeconds(service.pid) - cpuBefore;
  for (const client of clients) client.close();
  times.sort((left, right) => left - right);
  const at = (share: number): string =>
    (times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0).toFixed(1);
  console.log(
    `${times.length} requests of ${ROWS} records in ${seconds} s, ${refused} refused: ` +
      `p50 ${at(0.5)}, p99 ${at(0.99)}, p99.9 ${at(0.999)}, longest ${at(1)} ms; ` +
      `${cpu.toFixed(1)} CPU s, peak resident ${Math.round(peakResidentBytes(service.pid) / 1e6)} MB`,
  );
} finally {
  await service.close();
  rmSync(directory, { recursive: true, force: true });
}

/** Sends at the rate for so long; gives the milliseconds that each request took. */
async function run(
  clients: readonly Client[],
  forSeconds: number,
): Promise<{ readonly times: number[]; readonly refused: number }> {
  const times: number[] = [];
  const idle = [...clients];
  const due: number[] = [];
  let refused = 0;
  const begin = (): void => {
    for (let client = idle.pop(); client !== undefined; client = idle.pop()) {
      const dueMs = due.shift();
      if (dueMs === undefined) {
        idle.push(client);
        return;
      }
      const used = client;
      client.send(requestBytes(), (status) => {
        if (status === 200) times.push(performance.now() - dueMs);
        else refused += 1;
        idle.push(used);
        begin();
      });
    }
  };
  const startMs = performance.now();
  let sent = 0;
  while (performance.now() < startMs + 1000 * forSeconds) {
    const wanted = Math.floor(((performance.now() - startMs) / 1000) * rate);
    for (; sent < wanted; sent++) due.push(startMs + (1000 * sent) / rate);
    begin();
    await delay(1);
  }
  while (idle.length < clients.length || due.length > 0) await delay(1);
  return { times, refused };
}
