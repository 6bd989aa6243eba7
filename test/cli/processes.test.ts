/** `dora daemon` and `dora up` where something is in the way, as real processes. */
import { once } from "node:events";
import { createServer } from "node:net";
import { basename } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { CliProcess } from "../cli-process.ts";
import { runCli, startCli } from "../cli-process.ts";
import type { TestMachine } from "./machine.ts";
import { makeMachine } from "./machine.ts";

/** Below the time between two attempts that a test has the daemon wait. */
vi.setConfig({ testTimeout: 60_000 });

let machine: TestMachine;

beforeAll(async () => {
  machine = await makeMachine();
});

afterAll(() => machine.close());

function url(): string {
  return machine.env["DORA_COORDINATOR"] ?? "";
}

function startDaemon(...flags: readonly string[]): CliProcess {
  return startCli(["daemon", ...flags], { env: machine.env });
}

test("dora daemon without a coordinator says what users were shown, and exits with 1", async () => {
  const { code, stdout, stderr } = await startDaemon().result;
  expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
  expect(stdout).toBe(`🔧 Starting daemon...
❌ No coordinators found. Retrying in 1 seconds... [Attempt 1/2]
❌ No coordinators found. Retrying in 1 seconds... [Attempt 2/2]

🛑 Maximum retries reached. Exiting.

💡 Suggested Fix:
    Make sure a coordinator is running and accessible at the specified endpoint.
    Endpoint tried: ${url()}; \`dora up\` starts one on this machine.
`);
});

test("its attempts and the time between them are what the flags say", async () => {
  const { code, stdout } = await startDaemon("--retries", "3", "--retry-delay", "0.1").result;
  expect(code).toBe(1);
  expect(stdout.match(/Retrying in .+/g)).toEqual([
    "Retrying in 0.1 seconds... [Attempt 1/3]",
    "Retrying in 0.1 seconds... [Attempt 2/3]",
    "Retrying in 0.1 seconds... [Attempt 3/3]",
  ]);
});

test("Ctrl-C between two attempts leaves at once, with nothing more to say", async () => {
  const daemon = startDaemon("--retry-forever", "--retry-delay", "100");
  await daemon.waitFor(/Retrying in 100 seconds\.\.\. \[Attempt 1\]/);
  await expectEnd(daemon);
});

test("Ctrl-C while it starts leaves at once", async () => {
  const daemon = startDaemon("--retry-forever", "--retry-delay", "100");
  await daemon.waitFor(/Starting daemon/);
  await expectEnd(daemon);
});

/** That it ends within the time to the next attempt: otherwise the test's own time is over. */
async function expectEnd(daemon: CliProcess): Promise<void> {
  daemon.kill("SIGINT");
  const { code, stdout, stderr } = await daemon.result;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).not.toContain("Maximum retries");
}

test("a port that another program has is named with that program; what was started is stopped by down", async () => {
  const { hostname, port } = new URL(url());
  const server = createServer((socket) => socket.end("HTTP/1.1 404 Not Found\r\n\r\n"));
  await once(server.listen(Number(port), hostname), "listening");
  try {
    const { code, stdout, stderr } = await runCli(["up"], { env: machine.env });
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: expect.stringMatching(/^✔ telemetry \[started in .+\n$/) as unknown,
    });
    expect(stderr).toBe(
      `cannot start coordinator: port ${port} is taken by ${basename(process.execPath)} (pid ${process.pid})\nhint: stop that program, or give another address: see docs/cli.md, "dora up"\n`,
    );
    const down = await runCli(["down"], { env: machine.env });
    expect(down).toMatchObject({ code: 0, stdout: "stopped telemetry\n" });
  } finally {
    server.close();
  }
});
