import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "../core/errors.ts";
import { type Broker, type BrokerKind, startBroker } from "../runtime/bench/broker.ts";
import { MESSAGES, type Mode, SIZES } from "../runtime/bench/method.ts";
import {
  type BenchmarkRow,
  isTransportName,
  payloadBytesMaxOf,
  runBenchmark,
  TRANSPORT_NAMES,
  type TransportName,
} from "../runtime/bench/run-benchmark.ts";
import { documentText } from "./document-text.ts";
import { Interruption } from "./interruption.ts";
import { Output } from "./output.ts";
import { renderTable, type TableRow } from "./render-table.ts";

/** The most that a dataflow's message may have over any transport. */
const SIZE_BYTES_MAX = 268_435_456;
const MESSAGES_MAX = 1_000_000;

export interface BenchFlags {
  readonly transport: string;
  readonly sizes?: string;
  readonly messages?: string;
  readonly redisUrl?: string;
  readonly mqttUrl?: string;
  readonly output: "table" | "json" | "yaml";
}

type Row = BenchmarkRow & { readonly transport: TransportName };

interface LeftOut {
  readonly transport: TransportName;
  readonly reason: string;
}

/**
 * `dora bench latency`, `dora bench throughput`. Needs no coordinator, and changes nothing of what runs.
 *
 * Errors: `USAGE`, `BENCH_FAILED`
 */
export async function benchTransports(mode: Mode, flags: BenchFlags): Promise<void> {
  const transports = readTransports(flags.transport);
  const sizesBytes = flags.sizes === undefined ? SIZES : readSizes(flags.sizes);
  const messages = readCount("--messages", flags.messages ?? String(MESSAGES), MESSAGES_MAX);
  const output = new Output(process.stdout);
  const notes = new Output(process.stderr);
  const interruption = new Interruption();
  const brokers = new Brokers(flags);
  const machine = machineNow();
  const rows: Row[] = [];
  const leftOut: LeftOut[] = [];
  try {
    for (const transport of transports) {
      if (interruption.isRequested) break;
      await notes.writeStatus(`${mode}: ${transport} ...`);
      const endpoint = await brokers.endpointFor(transport);
      if (typeof endpoint === "object") {
        leftOut.push({ transport, reason: endpoint.missing });
        continue;
      }
      const options = { mode, transport, sizesBytes, messages };
      const measured = await runBenchmark(
        endpoint === undefined ? options : { ...options, endpoint },
        interruption.signal,
      );
      const most = payloadBytesMaxOf(transport);
      const tooLarge = sizesBytes.filter((size) => size > most);
      if (tooLarge.length > 0) {
        leftOut.push({ transport, reason: `${tooLarge.join(", ")} bytes: it carries ${most}` });
      }
      for (const row of measured) rows.push({ transport, ...row });
    }
  } catch (error) {
    // Ctrl-C ends the nodes, and what was measured before is shown.
    if (!interruption.isRequested) throw error;
  } finally {
    await notes.writeStatus("");
    await brokers.close();
    interruption.close();
  }
  if (flags.output === "table") {
    await output.writeLine(machine);
    await output.writeLines(renderTable(rows.map((row) => tableRow(mode, row))));
    for (const { transport, reason } of leftOut) {
      await output.writeLine(`left out: ${transport}: ${reason}`);
    }
  } else {
    const document = { mode, machine, results: rows.map(documentRow), leftOut };
    await output.writeDocument(Buffer.from(documentText(flags.output, document)));
  }
  if (output.failure !== undefined) throw output.failure;
}

function tableRow(mode: Mode, row: Row): TableRow {
  const { transport, sizeBytes, messages, lost, p50Us, p95Us, p99Us, p999Us } = row;
  const { messagesPerSecond, megabytesPerSecond } = ratesOf(row);
  const rates = { "Messages/s": messagesPerSecond, "MB/s": megabytesPerSecond };
  return {
    Transport: transport,
    Bytes: sizeBytes,
    Messages: messages,
    Lost: lost,
    ...(mode === "throughput" ? rates : {}),
    "p50 us": Math.round(p50Us),
    "p95 us": Math.round(p95Us),
    "p99 us": Math.round(p99Us),
    "p99.9 us": Math.round(p999Us),
  };
}

function documentRow({ seconds, received, ...row }: Row): object {
  return { ...row, received, seconds, ...ratesOf({ seconds, received, ...row }) };
}

/** Of what has arrived. Paced messages have a rate too: that of the pace. */
function ratesOf({ received, seconds, sizeBytes }: BenchmarkRow) {
  const perSecond = seconds > 0 ? received / seconds : 0;
  return {
    messagesPerSecond: Math.round(perSecond),
    megabytesPerSecond: Number(((perSecond * sizeBytes) / 1e6).toPrecision(3)),
  };
}

/** Brokers of those who have one: the user's, or one of our own until the end. */
class Brokers {
  readonly #given: Readonly<Record<BrokerKind, string | undefined>>;
  readonly #started = new Map<BrokerKind, Broker>();
  #folder: string | undefined;

  constructor({ redisUrl, mqttUrl }: BenchFlags) {
    this.#given = { redis: redisUrl, mqtt: mqttUrl };
  }

  /** Undefined where the transport needs none. */
  async endpointFor(
    transport: TransportName,
  ): Promise<string | undefined | { readonly missing: string }> {
    const [kind] = transport.split("/");
    if (kind !== "redis" && kind !== "mqtt") return undefined;
    const there = this.#given[kind] ?? this.#started.get(kind)?.endpoint;
    if (there !== undefined) return there;
    this.#folder ??= mkdtempSync(join(tmpdir(), "dora-bench-broker-"));
    const broker = await startBroker(kind, this.#folder);
    if (broker !== undefined) {
      this.#started.set(kind, broker);
      return broker.endpoint;
    }
    const [program, flag] =
      kind === "redis" ? ["redis-server", "--redis-url"] : ["mosquitto", "--mqtt-url"];
    return { missing: `there is no ${program} in PATH; install it, or give ${flag}` };
  }

  async close(): Promise<void> {
    for (const broker of this.#started.values()) await broker.close();
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Errors: `USAGE` */
function readTransports(text: string): readonly TransportName[] {
  if (text === "all") return TRANSPORT_NAMES;
  return text.split(",").flatMap((name): readonly TransportName[] => {
    if (name === "redis") return ["redis/events", "redis/tasks"];
    if (isTransportName(name)) return [name];
    const known = TRANSPORT_NAMES.join(", ");
    throw new AppError(
      "USAGE",
      `there is no transport "${name}" to measure: give ${known}, or all`,
    );
  });
}

/** Errors: `USAGE` */
function readSizes(text: string): readonly number[] {
  return text.split(",").map((size) => readCount("--sizes", size, SIZE_BYTES_MAX));
}

/** Errors: `USAGE` */
function readCount(flag: string, text: string, most: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && number <= most) return number;
  throw new AppError("USAGE", `${flag} must be whole numbers from 1 to ${most}, got "${text}"`);
}

/** Numbers say little without what they were measured on, and beside what. */
function machineNow(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown processor";
  const load = loadavg()[0]?.toFixed(1) ?? "?";
  return `${availableParallelism()} x ${model}, Node ${process.version}, load ${load}`;
}
