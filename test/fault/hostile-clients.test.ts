import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { peakResidentBytes } from "../../bench/process-usage.ts";
import { Random } from "../../bench/random.ts";
import { otlpJsonToProtobuf } from "../../src/wire/otlp-json.ts";
import { LONG_TEST_MS } from "../run-size.ts";
import { startServe } from "../serve-process.ts";
import { AcknowledgedClient } from "./acknowledged-client.ts";
import type { FuzzSeed } from "./hostile-clients.ts";
import { crawl, sendBombs, sendFuzz, sendLargeBodies } from "./hostile-clients.ts";
import { MemoryCgroup } from "./memory-cgroup.ts";
import { brokenLaw, compareWithStore, readCounts } from "./service-account.ts";

const MEMORY_BYTES_MAX = 512 * 1024 * 1024;
const FIXTURES = [
  ["logs.json", "logs"],
  ["events.json", "logs"],
  ["trace.json", "traces"],
  ["metrics.json", "metrics"],
] as const;

test(
  "50 clients with 64 MiB bodies, gzip bombs, slow clients and 10,000 fuzzed requests inside 512 MB (SEC-004, SEC-005, SEC-006, PIPE-002, PIPE-003)",
  async ({ skip }) => {
    const cgroup = MemoryCgroup.create(MEMORY_BYTES_MAX);
    if (!(cgroup instanceof MemoryCgroup)) return skip(cgroup.reason);
    onTestFinished(() => cgroup.remove());
    const dataDirectory = await mkdtemp(join(tmpdir(), "dora-hostile-"));
    onTestFinished(() => rm(dataDirectory, { recursive: true, force: true }));
    const service = await startServe({ dataDirectory, runUnder: cgroup.runUnder });
    onTestFinished(async () => void (await service.close()));
    const victim = {
      otlpHttp: service.otlpHttp.replace("http://", ""),
      otlpGrpc: service.otlpGrpc,
    };
    const random = new Random(512);

    // An honest client all the time: it may have to wait, and loses nothing.
    const witness = new AcknowledgedClient({
      clientId: "witness",
      seed: 1,
      endpoint: () => service.otlpHttp,
    });
    onTestFinished(() => witness.close());
    const stop = new AbortController();
    const sending = witness.run(stop.signal);
    sending.catch(() => undefined);

    const crawling = Promise.all([crawl(victim, 50, "headers"), crawl(victim, 50, "body")]);
    const large = await sendLargeBodies(victim, { clientCount: 50, attempts: 2, random });
    expect(
      large.others(["200", "400", "408", "503", "grpc 0", "grpc 3", "grpc 14", "cut"]),
    ).toEqual([]);
    const bombs = await sendBombs(victim, 50);
    expect(bombs.others(["200", "400", "413", "415", "503", ...GRPC_BOMB_CODES])).toEqual([]);
    const seeds = await fuzzSeeds();
    const fuzz = await sendFuzz(victim, { count: 10_000, random, seeds });
    expect(fuzz.others(["200", "400", "404", "405", "415", "503"])).toEqual([]);
    expect(fuzz.total).toBe(10_000);
    // The service cuts off every one that crawls.
    await crawling;

    expect((await fetch(`${service.api}/healthz`)).status).toBe(200);
    stop.abort();
    await sending;
    const patience = AbortSignal.timeout(120_000);
    await witness.settle(patience);
    await witness.run(patience, 20);
    const { acknowledged, found, lost, twice, invented } = await compareWithStore(
      service.api,
      [witness],
      "node:witness record.id:*",
    );
    expect({ lost, twice, invented }).toEqual({ lost: [], twice: [], invented: [] });
    expect(found).toBe(acknowledged);
    expect(brokenLaw(await settledCounts(service.api))).toEqual([]);
    // It is the process that was started, and it never was near its end.
    expect(() => process.kill(service.pid, 0)).not.toThrow();
    expect(cgroup.oomKillCount).toBe(0);
    expect(peakResidentBytes(service.pid)).toBeLessThan(MEMORY_BYTES_MAX);
  },
  LONG_TEST_MS,
);

const GRPC_BOMB_CODES = ["grpc 0", "grpc 3", "grpc 8", "grpc 14"] as const;

/** The counts once nothing is on its way to disk. */
async function settledCounts(api: string): ReturnType<typeof readCounts> {
  for (;;) {
    const counts = await readCounts(api);
    expect(brokenLaw(counts)).toEqual([]);
    if (Object.values(counts).every(({ pending }) => pending === 0)) return counts;
    await delay(20);
  }
}

/** Requests of each signal, in JSON and in protobuf. */
async function fuzzSeeds(): Promise<readonly FuzzSeed[]> {
  const seeds = FIXTURES.map(async ([name, signal]): Promise<readonly FuzzSeed[]> => {
    const json = await readFile(new URL(`../fixtures/otlp/${name}`, import.meta.url));
    const protobuf = Buffer.from(otlpJsonToProtobuf(signal, json));
    const path = `/v1/${signal}`;
    return [
      { path, contentType: "application/json", body: json },
      { path, contentType: "application/x-protobuf", body: protobuf },
    ];
  });
  return (await Promise.all(seeds)).flat();
}
