import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  daemonFolder,
  makePrivateFolder,
  makeRunFolder,
  removeRunFolders,
} from "../../../src/runtime/daemon/daemon-folder.ts";
import { readNodeMessage } from "../../../src/runtime/daemon/node-message-schema.ts";
import { OutputTail } from "../../../src/runtime/daemon/output-tail.ts";
import { parsePs, parseStat, readProcesses } from "../../../src/runtime/daemon/process-table.ts";
import { RestartBudget } from "../../../src/runtime/daemon/restart-budget.ts";
import { ThresholdWatch } from "../../../src/runtime/daemon/threshold-watch.ts";
import type { NodeMessage } from "../../../src/runtime/protocol/node-messages.ts";
import { RecordingTelemetry } from "./daemon-harness.ts";

describe("a restart budget", () => {
  const rules = {
    policy: "on-failure",
    restartsMax: 0,
    delayMs: 100,
    delayMaxMs: 1000,
    windowMs: 0,
  } as const;

  test("doubles the delay up to its largest", () => {
    const budget = new RestartBudget(rules);
    const delays = Array.from({ length: 6 }, () => budget.grant(true, 0));
    expect(delays).toEqual([100, 200, 400, 800, 1000, 1000]);
    for (let count = 0; count < 10_000; count++) budget.grant(true, 0);
    expect(budget.grant(true, 0)).toBe(1000);
  });

  test("grants so many in a window, and again once they are older", () => {
    const budget = new RestartBudget({ ...rules, restartsMax: 2, windowMs: 1000 });
    expect([0, 400, 900, 1000, 1100].map((nowMs) => budget.grant(true, nowMs))).toEqual([
      100,
      200,
      undefined,
      200,
      undefined,
    ]);
  });

  test("holds to its policy", () => {
    expect(new RestartBudget(rules).grant(false, 0)).toBeUndefined();
    expect(new RestartBudget({ ...rules, policy: "always" }).grant(false, 0)).toBe(100);
    expect(new RestartBudget({ ...rules, policy: "never" }).grant(true, 0)).toBeUndefined();
  });
});

describe("thresholds", () => {
  const none = { latencyMs: undefined, memoryMb: undefined, errorsPerMinute: undefined };
  const { rates } = new RecordingTelemetry();

  test("warn at most once a minute of each kind, in the words that were promised", () => {
    const watch = new ThresholdWatch(
      { ...none, latencyMs: 4 },
      { ...none, latencyMs: 1, memoryMb: 100 },
    );
    const slow = { ...rates, latencyP99Ns: 5_000_000 };
    expect(watch.check(0, slow, 512e6)).toEqual([
      "High latency detected (5ms).",
      "High memory use detected (512MB).",
    ]);
    expect(watch.check(59_999, slow, 50e6)).toEqual([]);
    expect(watch.check(60_000, slow, 50e6)).toEqual(["High latency detected (5ms)."]);
    expect(watch.check(200_000, { ...rates, latencyP99Ns: 3_900_000 }, null)).toEqual([]);
  });

  test("errors are counted over the last minute", () => {
    const watch = new ThresholdWatch({ ...none, errorsPerMinute: 10 }, none);
    const warnings: string[] = [];
    for (let second = 0; second <= 300; second++) {
      // Ten a minute are allowed; from 200 s on there are 60.
      const errors = Math.floor(Math.min(second, 200) / 6) + Math.max(0, second - 200);
      warnings.push(
        ...watch
          .check(second * 1000, { ...rates, errors }, null)
          .map((text) => `${second}: ${text}`),
      );
    }
    expect(warnings).toEqual([
      expect.stringMatching(/^20\d: High error rate detected \(11 errors\/min\)\.$/),
      expect.stringMatching(/^26\d: High error rate detected \(60 errors\/min\)\.$/),
    ]);
  });

  test("errors before the first look count, and a new process begins anew", () => {
    const watch = new ThresholdWatch({ ...none, errorsPerMinute: 1 }, none);
    expect(watch.check(0, { ...rates, errors: 3 }, null)).toEqual([
      "High error rate detected (3 errors/min).",
    ]);
    expect(watch.check(61_000, { ...rates, errors: 1 }, null)).toEqual([]);
  });
});

test("a tail keeps the last lines, cut where they are too long", () => {
  const tail = new OutputTail(3);
  const text = Buffer.from("one\ntwo\nthrée\nfour\r\nunfinished");
  for (const byte of text) tail.add(Buffer.from([byte]));
  expect(tail.lines()).toEqual(["thrée", "four", "unfinished"]);
  tail.add(Buffer.from(`\n${"x".repeat(5000)}`));
  tail.add(Buffer.from("x".repeat(5000)));
  expect(tail.lines().at(-1)).toHaveLength(2000);
});

describe("the process table", () => {
  test("reads a line of /proc/PID/stat, whatever the program is called", () => {
    const rest = "S 1 7 7 0 -1 0 0 0 0 0 150 50 0 0 20 0 1 0 987654 1000 25 18446744073709551615";
    expect(parseStat(`7 (a) Z) ${rest}`, 4096)).toEqual({
      startedAt: "987654",
      cpuSeconds: 2,
      memoryBytes: 102_400,
    });
    expect(parseStat(`7 (a) ${rest.replace("S", "Z")}`, 4096)).toBeUndefined();
    expect(parseStat("", 4096)).toBeUndefined();
  });

  test("reads lines of ps", () => {
    const text =
      "    7  2048 01-02:03:04 Mon Nov 23 05:24:14 2026\n   12 10240   0:01.50 Tue Nov 24 05:24:14 2026\n\n";
    expect([...parsePs(text)]).toEqual([
      [7, { startedAt: "Mon Nov 23 05:24:14 2026", cpuSeconds: 93_784, memoryBytes: 2_097_152 }],
      [12, { startedAt: "Tue Nov 24 05:24:14 2026", cpuSeconds: 1.5, memoryBytes: 10_485_760 }],
    ]);
  });

  test("finds this process, and not one that is not there", async () => {
    const found = await readProcesses([process.pid, 4_194_303]);
    expect([...found.keys()]).toEqual([process.pid]);
    const bytes = found.get(process.pid)?.memoryBytes ?? 0;
    expect(bytes / process.memoryUsage.rss()).toBeCloseTo(1, 0);
  });
});

describe("the private folder", () => {
  test("is ours alone; a link in its place is refused", () => {
    const base = mkdtempSync(join(tmpdir(), "dora-folder-"));
    onTestFinished(() => rmSync(base, { recursive: true }));
    const folder = join(base, "a");
    makePrivateFolder(folder);
    chmodSync(folder, 0o777);
    makePrivateFolder(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    symlinkSync(folder, join(base, "b"));
    expect(() => makePrivateFolder(join(base, "b"))).toThrow("is not a folder of this user");
  });

  test("stands where a socket's path stays short", () => {
    const uid = process.getuid?.() ?? -1;
    expect(daemonFolder({ XDG_RUNTIME_DIR: "/run/user/7" })).toBe(`/run/user/7/dora-${uid}`);
    const long = daemonFolder({ XDG_RUNTIME_DIR: `/${"x".repeat(90)}` });
    expect(long).toMatch(new RegExp(`^${tmpdir()}/dora-${uid}$|^/tmp/dora-${uid}$`));
  });
});

test("folders of dataflows are each daemon's own, and go together", () => {
  const one = join(tmpdir(), `dora-${process.pid}-one`);
  const other = join(tmpdir(), `dora-${process.pid}-other`);
  onTestFinished(() => {
    removeRunFolders(one);
    removeRunFolders(other);
  });
  const id = "01900000-0000-7000-8000-00000000000a";
  const first = makeRunFolder(one, id);
  const second = makeRunFolder(other, id);
  expect(statSync(first).mode & 0o777).toBe(0o700);
  expect(first).not.toBe(second);
  removeRunFolders(one);
  expect([first, second].map((folder) => existsSync(folder))).toEqual([false, true]);
});

describe("what a node says", () => {
  const time = "1767225600000000000";
  const messages: { readonly [Type in NodeMessage["type"]]: Extract<NodeMessage, { type: Type }> } =
    {
      hello: {
        type: "hello",
        protocol: 1,
        dataflow: "d",
        node: "n",
        token: "t",
        pid: 1,
        library: "l",
      },
      listening: { type: "listening", inboxes: [{ transport: "socket", address: "unix:/x" }] },
      log: {
        type: "log",
        records: [
          { time, level: "info", message: "m" },
          {
            time,
            level: "fatal",
            message: "m",
            logger: "l",
            traceId: "0".repeat(32),
            spanId: "a".repeat(16),
            attributes: { a: [1] },
          },
        ],
      },
      gauges: {
        type: "gauges",
        gauges: {
          eventLoopUtilization: 0.5,
          connections: 1,
          inputs: [{ input: "i", queued: 1, received: 2, dropped: 3 }],
        },
      },
      "input-closed": { type: "input-closed", input: "i" },
      "link-failed": { type: "link-failed", link: "l", message: "m" },
      "outputs-closed": { type: "outputs-closed", outputs: ["o"] },
      finished: { type: "finished" },
    };
  const read = (value: unknown) => readNodeMessage(Buffer.from(JSON.stringify(value)));

  test.each(Object.values(messages))("$type is read as it is", (message) => {
    expect(read(message)).toEqual({ status: "ok", message });
  });

  test.each(Object.values(messages).filter(({ type }) => type !== "finished"))(
    "$type without one of its keys is refused",
    (message) => {
      for (const key of Object.keys(message)) {
        const rest = Object.fromEntries(Object.entries(message).filter(([name]) => name !== key));
        expect(read(rest).status).toBe("invalid");
      }
    },
  );

  test.each([
    null,
    [],
    { ...messages.log, records: [{ time: "-1", level: "info", message: "m" }] },
    { ...messages.log, records: [{ time, level: "loud", message: "m" }] },
    { ...messages.log, records: [{ time, level: "info", message: "m", traceId: "xyz" }] },
    {
      ...messages.log,
      records: Array.from({ length: 10_001 }, () => ({ time, level: "info", message: "" })),
    },
    { ...messages.listening, inboxes: [{ transport: "pigeon", address: "" }] },
    { type: "gauges", gauges: { connections: -1, inputs: [] } },
    { ...messages.hello, pid: 1.5 },
    { ...messages.hello, node: "n".repeat(513) },
  ])("is refused where it makes no sense", (value) => {
    expect(read(value).status).toBe("invalid");
  });

  test("a type of a later version is passed over", () => {
    expect(read({ type: "sing" })).toEqual({ status: "unknown", type: "sing" });
    expect(readNodeMessage(Buffer.from("{"))).toEqual({
      status: "invalid",
      reason: "it is not JSON",
    });
  });
});
