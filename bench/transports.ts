/**
 * Messages between two processes: one-way latency and messages a second, each transport and size.
 *
 *     node bench/transports.ts [--kind socket,redis/tasks] [--sizes 8,4000000] [--seconds 1]
 *
 * Brokers are those of DORA_BENCH_REDIS and DORA_BENCH_MQTT, such as redis://127.0.0.1:6379.
 *
 * Latency: one message at a time, the next once the one before has arrived; from before `send` to the
 * receiver's `onMessage`, by the machine's one monotonic clock. The receiver hands large payloads back.
 * Rate: as many as the link takes, from the first `send` until the last has arrived.
 */
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { openTransport, type TransportOptions } from "../src/runtime/transports/open-transport.ts";
import type { Inbox, Outbox } from "../src/runtime/transports/transport.ts";
import { machineLine } from "./process-usage.ts";

const KINDS = "socket,tcp,websocket,grpc,redis/events,redis/tasks,mqtt";
const SIZES = [8, 64, 512, 4_096, 40_960, 131_072, 409_600, 4_000_000, 40_000_000];
const TOPIC = "bench/in";
const TOKEN = "bench";
/** Timed messages of one size, and untimed ones before them. */
const LATENCY_MESSAGES_MAX = 1_000;
const LATENCY_BYTES_MAX = 1_000_000_000;

/** What a message is for, in its first byte. */
const LATENCY = 1;
const RATE = 2;
const RATE_LAST = 3;
/** So many messages are sent between two looks at the clock and the link. */
const BURST_BYTES = 256 * 1024;
const ARRIVAL_TIMEOUT_MS = 20_000;

const Plan = z.object({
  kind: z.string(),
  /** As it is printed. */
  label: z.string(),
  settings: z.record(z.string(), z.unknown()),
  endpoint: z.string(),
  sizes: z.array(z.number()),
  seconds: z.number(),
});
type Plan = z.infer<typeof Plan>;

/** What the receiver tells the sender. */
const Arrival = z.union([
  z.object({ endpoint: z.string() }),
  z.object({ arrivedNs: z.string(), count: z.number() }),
]);

interface Row {
  readonly kind: string;
  readonly size: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly perSecond: number;
  readonly lost: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kind: { type: "string", default: KINDS },
      sizes: { type: "string", default: SIZES.join(",") },
      seconds: { type: "string", default: "1" },
      "no-ring": { type: "boolean", default: false },
    },
  });
  console.log(machineLine());
  console.log("\n| transport | bytes | one way p50 us | p99 us | messages/s | MB/s | lost |");
  console.log("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
  for (const kind of values.kind.split(",")) {
    const folder = mkdtempSync(join(tmpdir(), "dora-bench-"));
    const ringFolder = mkdtempSync("/dev/shm/dora-bench-");
    const [name = "", mode] = kind.split("/");
    const ring = values["no-ring"] ? {} : { ringFolder };
    const settings = mode === undefined ? ring : { redis: { mode } };
    try {
      await measure({
        kind: name,
        label: kind,
        settings,
        endpoint: endpointOf(name, folder),
        sizes: values.sizes.split(",").map(Number),
        seconds: Number(values.seconds),
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
      rmSync(ringFolder, { recursive: true, force: true });
    }
  }
}

function endpointOf(kind: string, folder: string): string {
  if (kind === "socket") return `unix:${join(folder, "inbox.sock")}`;
  if (kind === "tcp") return "tcp://127.0.0.1:0";
  if (kind === "websocket") return "ws://127.0.0.1:0";
  if (kind === "grpc") return "grpc://127.0.0.1:0";
  return process.env[`DORA_BENCH_${kind.toUpperCase()}`] ?? "";
}

async function measure(plan: Plan): Promise<void> {
  if (plan.endpoint === "") {
    console.log(
      `| ${plan.label} | not measured: DORA_BENCH_${plan.kind.toUpperCase()} names no broker |`,
    );
    return;
  }
  const child = fork(import.meta.filename, [JSON.stringify(plan)]);
  const arrivals = new Arrivals();
  child.on("message", (message) => arrivals.add(Arrival.parse(message)));
  const transport = await openTransport(plan.kind, plan.settings satisfies TransportOptions);
  const endpoint = await arrivals.endpoint;
  const outbox = await transport.openOutbox({ endpoint, topic: TOPIC, token: TOKEN });
  const sizeMax = transport.guarantees.payloadBytesMax;
  for (const size of plan.sizes.filter((candidate) => candidate <= sizeMax)) {
    printRow(await measureSize(plan, size, { outbox, arrivals }));
  }
  await outbox.close();
  await transport.close();
  child.send("close");
  await new Promise((resolve) => child.once("exit", resolve));
}

/** What the receiver says has arrived. */
class Arrivals {
  readonly endpoint: Promise<string>;
  arrivedNs = 0n;
  #tell: (endpoint: string) => void = () => {};
  #told: ((count: number) => void) | undefined;

  constructor() {
    this.endpoint = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  add(arrival: z.infer<typeof Arrival>): void {
    if ("endpoint" in arrival) {
      this.#tell(arrival.endpoint);
      return;
    }
    this.arrivedNs = BigInt(arrival.arrivedNs);
    this.#told?.(arrival.count);
    this.#told = undefined;
  }

  /** How many have arrived when the receiver tells of a message that it is to tell of; 0 if it does not. */
  async next(send: () => void): Promise<number> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(0), ARRIVAL_TIMEOUT_MS);
      this.#told = (count): void => {
        clearTimeout(timer);
        resolve(count);
      };
      send();
    });
  }
}

async function measureSize(
  plan: Plan,
  size: number,
  link: { readonly outbox: Outbox; readonly arrivals: Arrivals },
): Promise<Row> {
  const { outbox, arrivals } = link;
  const payload = Buffer.alloc(size, 7);
  const header = Buffer.alloc(100, 1);
  const count = Math.min(LATENCY_MESSAGES_MAX, Math.ceil(LATENCY_BYTES_MAX / size));
  const timesUs: number[] = [];
  header[0] = LATENCY;
  for (let index = -Math.ceil(count / 5); index < count; index++) {
    const startedNs = process.hrtime.bigint();
    await arrivals.next(() => outbox.send(header, payload));
    if (index >= 0) timesUs.push(Number(arrivals.arrivedNs - startedNs) / 1000);
    await outbox.drained();
  }
  timesUs.sort((left, right) => left - right);
  const { perSecond, lost } = await measureRate(plan, { header, payload }, link);
  const at = (share: number): number => timesUs[Math.floor(timesUs.length * share)] ?? 0;
  return { kind: plan.label, size, p50Us: at(0.5), p99Us: at(0.99), perSecond, lost };
}

async function measureRate(
  plan: Plan,
  message: { readonly header: Buffer; readonly payload: Buffer },
  { outbox, arrivals }: { readonly outbox: Outbox; readonly arrivals: Arrivals },
): Promise<{ readonly perSecond: number; readonly lost: number }> {
  const { header, payload } = message;
  const startedNs = process.hrtime.bigint();
  const endMs = performance.now() + plan.seconds * 1000;
  const burst = Math.max(1, Math.floor(BURST_BYTES / (payload.length + 200)));
  header[0] = RATE;
  let count = 0;
  while (performance.now() < endMs) {
    for (let index = 0; index < burst; index++) {
      count++;
      if (outbox.send(header, payload) !== "sent") await outbox.drained();
    }
    // A node that sends without pause still lets its process do other things.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const last = Buffer.from(header);
  last[0] = RATE_LAST;
  const arrived = await arrivals.next(() => outbox.send(last, payload));
  const seconds = Number(arrivals.arrivedNs - startedNs) / 1e9;
  return { perSecond: arrived / seconds, lost: count + 1 - arrived };
}

async function receive(plan: Plan): Promise<void> {
  const transport = await openTransport(plan.kind, plan.settings);
  const inbox: Inbox = await transport.openInbox({ endpoint: plan.endpoint });
  let count = 0;
  const tell = (): void => {
    process.send?.({ arrivedNs: String(process.hrtime.bigint()), count });
    count = 0;
  };
  const link = await inbox.accept(
    { topic: TOPIC, token: TOKEN },
    {
      onMessage: (header, payload) => {
        count++;
        if (header[0] !== RATE) tell();
        link.recycle(payload);
      },
    },
  );
  process.send?.({ endpoint: inbox.endpoint });
  await new Promise((resolve) => process.once("message", resolve));
  await inbox.close();
  await transport.close();
  process.disconnect();
}

function printRow(row: Row): void {
  const megabytes = (row.perSecond * row.size) / 1e6;
  const figures = [row.p50Us, row.p99Us, row.perSecond, megabytes].map((figure) =>
    Math.round(figure).toLocaleString("en"),
  );
  console.log(
    `| ${row.kind} | ${row.size.toLocaleString("en")} | ${figures.join(" | ")} | ${row.lost} |`,
  );
}

if (process.send !== undefined && process.argv[2] !== undefined) {
  await receive(Plan.parse(JSON.parse(process.argv[2])));
} else {
  await main();
}
