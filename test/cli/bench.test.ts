import { expect, test } from "vitest";
import { z } from "zod";
import { runCli } from "../cli-process.ts";

const TIMEOUT_MS = 60_000;

const Row = z.object({
  transport: z.string(),
  size_bytes: z.number(),
  messages: z.number(),
  received: z.number(),
  lost: z.number(),
  p50_us: z.number(),
  p999_us: z.number(),
  messages_per_second: z.number(),
});
const Answer = z.object({
  mode: z.string(),
  results: z.array(Row),
  left_out: z.array(z.object({ transport: z.string(), reason: z.string() })),
});

const SHORT = ["--transport", "socket", "--sizes", "8,4096", "--messages", "20"];

test.each(["latency", "throughput"])(
  "dora bench %s measures each size over a socket, and nothing is lost",
  async (mode) => {
    const { code, stdout, stderr } = await runCli(["bench", mode, ...SHORT, "--output", "json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const answer = Answer.parse(JSON.parse(stdout));
    expect(answer).toMatchObject({ mode, left_out: [] });
    const counted = { transport: "socket", messages: 20, received: 20, lost: 0 };
    expect(answer.results).toMatchObject([
      { ...counted, size_bytes: 8 },
      { ...counted, size_bytes: 4096 },
    ]);
    for (const { p50_us, p999_us, messages_per_second } of answer.results) {
      expect(p50_us).toBeGreaterThan(0);
      expect(p999_us).toBeGreaterThanOrEqual(p50_us);
      // 20 paced messages take 19 pauses of 5 ms.
      if (mode === "latency") expect(messages_per_second).toBeLessThan(20 / 0.095);
    }
  },
  TIMEOUT_MS,
);

test("a transport without a broker, and sizes that it does not carry, are named", async () => {
  const flags = ["--transport", "mqtt,redis/events", "--sizes", "2000000", "--messages", "1"];
  const url = ["--redis-url", "redis://127.0.0.1:1"];
  const { code, stdout } = await runCli(["bench", "latency", ...flags, ...url], {
    env: { PATH: "/nowhere" },
  });
  expect(code).toBe(0);
  expect(stdout).toContain("left out: mqtt: there is no mosquitto in PATH");
  expect(stdout).toContain("left out: redis/events: 2000000 bytes: it carries 1048576");
});

test("what is no transport, size or count is refused", async () => {
  for (const [flag, value] of [
    ["--transport", "pigeon"],
    ["--sizes", "8,,9"],
    ["--messages", "0"],
  ] as const) {
    const { code, stderr } = await runCli(["bench", "latency", flag, value]);
    expect(code).toBe(2);
    expect(stderr).toContain(flag === "--transport" ? '"pigeon"' : flag);
  }
});
