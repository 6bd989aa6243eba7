import { expect, test } from "vitest";
import { createLogger } from "../../src/telemetry/logger.ts";
import type { RecordSink } from "../../src/telemetry/self-log.ts";
import { PENDING_RECORDS_MAX, SelfLog } from "../../src/telemetry/self-log.ts";
import { otlpProtobufToJson } from "../../src/wire/otlp-to-json.ts";

const RESOURCE = new Map([["service.name", "dora-serve"]]);

/** A store that keeps what it is handed, and a logger whose records go to it. */
function start(append?: () => ReturnType<RecordSink["append"]>) {
  let nowMs = 0;
  const clock = { nowUnixNs: () => 1_736_282_047_298_518_000n, monotonicMs: () => nowMs };
  const selfLog = new SelfLog(RESOURCE, clock);
  const log = createLogger({ level: "debug", sinks: [selfLog], clock });
  const requests: Parameters<RecordSink["append"]>[0][] = [];
  const store: RecordSink = {
    append: async (request) => {
      requests.push(request);
      return (await append?.()) ?? { status: "stored" };
    },
  };
  const stored = () => requests.map(({ body }) => otlpProtobufToJson("logs", body)).join("\n");
  return { selfLog, log, store, requests, stored, advance: (ms: number) => void (nowMs += ms) };
}

test("records become one OTLP request with resource, level, time and ids, by the principal dora-self", async () => {
  const { selfLog, log, store, requests, stored } = start();
  selfLog.attach(store);
  log.info("store opened", { directory: "/data" });
  log.error("late", { trace_id: "4bf92f3577b34da6a3ce929d0e0e4736", span_id: "00f067aa0ba902b7" });
  await selfLog.flush();
  expect(requests).toHaveLength(1);
  expect(requests[0]).toMatchObject({ signal: "logs", principal: "dora-self" });
  for (const part of [
    '"dora-serve"',
    '"store opened"',
    '"/data"',
    '"INFO"',
    '"ERROR"',
    '"1736282047298518000"',
    '"4bf92f3577b34da6a3ce929d0e0e4736"',
    '"00f067aa0ba902b7"',
  ]) {
    expect(stored()).toContain(part);
  }
});

test("what is logged before the store opens is stored once it has", async () => {
  const { selfLog, log, store, stored } = start();
  log.warn("early");
  await selfLog.flush();
  expect(stored()).toBe("");
  selfLog.attach(store);
  await selfLog.flush();
  expect(stored()).toContain('"early"');
});

test.each([
  ["after the store opened", ["attach", "log"]],
  ["before the store opened", ["log", "attach"]],
])("what is logged %s is appended without being asked for", async (_when, steps) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { selfLog, log, store } = start(async () => {
    resolve();
    return { status: "stored" };
  });
  for (const step of steps) {
    if (step === "attach") selfLog.attach(store);
    else log.info("by itself");
  }
  await promise;
  await selfLog.close();
});

test("what an own append logs, at once or after waiting, is not stored again", async () => {
  const inner = start(async () => {
    inner.log.error("from within the append");
    await new Promise((resolve) => setImmediate(resolve));
    inner.log.error("from what the append set going");
    return { status: "stored" };
  });
  inner.selfLog.attach(inner.store);
  inner.log.info("outer");
  await inner.selfLog.flush();
  await inner.selfLog.close();
  expect(inner.requests).toHaveLength(1);
  expect(inner.stored()).not.toContain("from ");
  expect(inner.selfLog.drops).toMatchObject({ loop: 2, store: 0 });
});

test("what others log while an own append waits is stored", async () => {
  const gate = Promise.withResolvers<void>();
  const { selfLog, log, store, stored } = start(async () => {
    await gate.promise;
    return { status: "stored" };
  });
  selfLog.attach(store);
  log.info("outer");
  const flushed = selfLog.flush();
  log.info("meanwhile");
  gate.resolve();
  await flushed;
  await selfLog.flush();
  expect(stored()).toContain('"meanwhile"');
});

test("one message is stored ten times a window, and the next one says how many were left out", async () => {
  const { selfLog, log, store, stored, advance } = start();
  selfLog.attach(store);
  for (let index = 0; index < 25; index++) log.warn("again", { index });
  log.warn("another");
  await selfLog.flush();
  expect(stored().match(/"again"/g)).toHaveLength(10);
  expect(stored()).toContain('"another"');
  expect(selfLog.drops.rate).toBe(15);
  advance(10_000);
  log.warn("again");
  await selfLog.flush();
  expect(stored()).toMatch(/dora\.left_out_before[^}]*"15"/);
});

test("a message that varies is held to one rate once there are too many of them", async () => {
  const { selfLog, log, store } = start();
  selfLog.attach(store);
  for (let index = 0; index < 700; index++) log.warn(`varies ${index}`);
  expect(selfLog.drops.rate).toBe(700 - 500 - 10);
  await selfLog.close();
});

test.each([["unavailable"], ["invalid"]] as const)(
  "records that the store answers with %s are dropped and counted, not tried again",
  async (status) => {
    const { selfLog, log, store, requests } = start(async () => ({ status }));
    selfLog.attach(store);
    log.info("lost");
    await selfLog.close();
    expect(requests).toHaveLength(1);
    expect(selfLog.drops.store).toBe(1);
  },
);

test("a store that throws does not throw into the caller", async () => {
  const { selfLog, log, store } = start(() => Promise.reject(new Error("broken")));
  selfLog.attach(store);
  log.info("lost");
  await expect(selfLog.close()).resolves.toBeUndefined();
  expect(selfLog.drops.store).toBe(1);
});

test("records beyond the limit, and those after closing, are dropped and counted", async () => {
  const { selfLog, log } = start();
  for (let index = 0; index < 400; index++) {
    for (let times = 0; times < 3; times++) log.info(`message ${index}`);
  }
  expect(selfLog.drops.full).toBe(1200 - PENDING_RECORDS_MAX);
  await selfLog.close();
  expect(selfLog.drops.store).toBe(PENDING_RECORDS_MAX);
  log.info("too late");
  expect(selfLog.drops.store).toBe(PENDING_RECORDS_MAX + 1);
});
