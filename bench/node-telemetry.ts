/**
 * What telemetry costs two nodes and the daemon, and what it does to latency: the same flow without it,
 * with what the nodes record alone, and with all of it, by turns.
 *
 *     node bench/node-telemetry.ts [--seconds 5] [--rate 1000] [--rounds 3]
 *
 * `none`: the nodes record no hops. `nodes`: they do, and the daemon looks at none. `all`: a real `dora serve`
 * takes everything, default sampling. CPU is of all threads of each process, while messages go; latency is from
 * before the send to the handler, 64 bytes a message. Figures are medians of the rounds.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { Daemon } from "../src/runtime/daemon/daemon.ts";
import type { NodeTelemetry, RunTelemetry } from "../src/runtime/protocol/run-telemetry.ts";
import { OtlpRunTelemetry } from "../src/runtime/telemetry/otlp-run-telemetry.ts";
import { silentLogger } from "../src/telemetry/logger.ts";
import { startServe } from "../test/serve-process.ts";
import { machineLine } from "./process-usage.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rate: { type: "string", default: "1000" },
    rounds: { type: "string", default: "3" },
  },
});
const seconds = Number(values.seconds);
const rate = Number(values.rate);
const MODES = ["none", "nodes", "all"] as const;
type Mode = (typeof MODES)[number];

const LIBRARY = new URL("../src/runtime/node/index.ts", import.meta.url).href;
const RECORDER = new URL("../src/runtime/node/hop-recorder.ts", import.meta.url).href;

/** Both begin to measure two seconds after the start, with the compiler warm. */
const BEGIN = `import { writeFileSync } from "node:fs";
import { Node } from "${LIBRARY}";
import { HopRecorder } from "${RECORDER}";
if (process.env.BENCH_MODE === "none") HopRecorder.prototype.write = () => {};
const result = (value) => writeFileSync(process.env.BENCH_FOLDER + "/" + node.id + ".json", JSON.stringify(value));
const cpuMs = (before) => { const { user, system } = process.cpuUsage(before); return (user + system) / 1000; };
const now = () => performance.timeOrigin + performance.now();
await using node = await Node.connect();
`;
const PROGRAMS: Readonly<Record<string, string>> = {
  "sender.mjs": `${BEGIN}
const rate = ${rate}, warmMessages = rate * 2, messages = warmMessages + rate * ${seconds};
const started = performance.now();
let sent = 0, before;
while (sent < messages) {
  for (; sent < messages && sent <= ((performance.now() - started) * rate) / 1000; sent++) {
    if (sent === warmMessages) before = process.cpuUsage();
    const payload = Buffer.alloc(64);
    payload.writeDoubleLE(now());
    payload.writeUInt8(sent < warmMessages ? 0 : 1, 8);
    await node.sendOutput("out", payload);
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
}
result({ cpuMs: cpuMs(before), latenciesUs: [] });
`,
  "receiver.mjs": `${BEGIN}
const latenciesUs = [];
let before;
for await (const event of node) {
  if (event.type !== "input") continue;
  const bytes = event.bytes();
  if (bytes[8] === 0) continue;
  before ??= process.cpuUsage();
  latenciesUs.push((now() - new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true)) * 1000);
}
result({ cpuMs: cpuMs(before), latenciesUs });
`,
};

const NodeResult = z.object({ cpuMs: z.number(), latenciesUs: z.array(z.number()) });

interface Round {
  readonly senderMs: number;
  readonly receiverMs: number;
  readonly daemonMs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly taken: number;
}

/** Takes all, and looks at nothing. */
const NOBODY: RunTelemetry = {
  log: () => {},
  nodeStarted: (): NodeTelemetry => ({
    output: (_, chunk) => process.stderr.write(chunk),
    log: () => {},
    hops: () => {},
    gauges: () => {},
    inputAdded: () => {},
    started: () => {},
    usage: () => {},
    rates: () => ({
      inputPerSecond: 0,
      outputPerSecond: 0,
      inputBytesPerSecond: 0,
      outputBytesPerSecond: 0,
      latencyP50Ns: null,
      latencyP99Ns: null,
      handlingP50Ns: null,
      queued: 0,
      dropped: 0,
      errors: 0,
    }),
    ended: () => {},
  }),
};

async function main(): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), "dora-bench-nodes-"));
  const service = await startServe({ dataDirectory: join(base, "data") });
  const telemetry = await OtlpRunTelemetry.start({
    endpoints: { grpc: `http://${service.otlpGrpc}`, http: service.otlpHttp },
    resource: { "service.name": "dora-daemon" },
    log: silentLogger,
  });
  const folder = join(base, "flow");
  mkdirSync(folder);
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(folder, name), text);
  const rounds: Record<Mode, Round[]> = { none: [], nodes: [], all: [] };
  // The daemon's own code is warm from the first round on, which is not counted.
  for (const mode of MODES) await runFlow(base, mode, telemetry);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const mode of MODES) rounds[mode].push(await runFlow(base, mode, telemetry));
  }
  await telemetry.close(10_000);
  await service.close();
  rmSync(base, { recursive: true, force: true });
  console.log(machineLine());
  console.log(`\n${rate} messages a second, CPU ms per 1,000 messages\n`);
  console.log("| telemetry | sender | receiver | daemon | p50 us | p99 us | taken |");
  console.log("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
  for (const mode of MODES) console.log(row(mode, rounds[mode]));
  console.log(`\nlosses ${JSON.stringify(telemetry.losses)}`);
}

function row(mode: Mode, rounds: readonly Round[]): string {
  const of = (read: (round: Round) => number): number => quantile(rounds.map(read), 0.5);
  const thousands = (rate * seconds) / 1000;
  const cells = [
    (of(({ senderMs }) => senderMs) / thousands).toFixed(1),
    (of(({ receiverMs }) => receiverMs) / thousands).toFixed(1),
    (of(({ daemonMs }) => daemonMs) / thousands).toFixed(1),
    of(({ p50Us }) => p50Us).toFixed(0),
    of(({ p99Us }) => p99Us).toFixed(0),
    of(({ taken }) => taken).toFixed(0),
  ];
  return `| ${mode} | ${cells.join(" | ")} |`;
}

async function runFlow(base: string, mode: Mode, otlp: RunTelemetry): Promise<Round> {
  const daemon = await Daemon.open({
    telemetry: mode === "all" ? otlp : NOBODY,
    log: silentLogger,
    folder: join(base, "run"),
  });
  let ended = (): void => {};
  const isEnded = new Promise<void>((resolve) => (ended = resolve));
  let before = process.cpuUsage();
  let isMeasuring = false;
  daemon.subscribe({
    onEvent: (event) => {
      if (event.type !== "dataflow") return;
      if (event.state === "running" && !isMeasuring) {
        isMeasuring = true;
        before = process.cpuUsage();
      }
      if (event.state === "completed" || event.state === "failed") ended();
    },
    onStatus: () => {},
  });
  const folder = join(base, "flow");
  await daemon.handle({
    method: "start",
    dataflow: crypto.randomUUID(),
    name: "telemetry",
    build: false,
    file: join(folder, "dataflow.yml"),
    environment: { BENCH_MODE: mode, BENCH_FOLDER: folder },
    text: `
nodes:
  - { id: sender, path: sender.mjs, outputs: [out] }
  - { id: receiver, path: receiver.mjs, inputs: { in: { source: sender/out, queue_size: 1000, queue_policy: backpressure } } }
`,
  });
  await isEnded;
  const { user, system } = process.cpuUsage(before);
  await daemon.close(1000);
  const read = (node: string): z.infer<typeof NodeResult> =>
    NodeResult.parse(JSON.parse(readFileSync(join(folder, `${node}.json`), "utf8")));
  const sender = read("sender");
  const receiver = read("receiver");
  const share = seconds / (seconds + 2);
  return {
    senderMs: sender.cpuMs,
    receiverMs: receiver.cpuMs,
    // The daemon is measured from the start on: two seconds more.
    daemonMs: ((user + system) / 1000) * share,
    p50Us: quantile(receiver.latenciesUs, 0.5),
    p99Us: quantile(receiver.latenciesUs, 0.99),
    taken: receiver.latenciesUs.length,
  };
}

function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

await main();
