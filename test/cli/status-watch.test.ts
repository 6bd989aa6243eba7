import { afterAll, beforeAll, expect, test } from "vitest";
import type { CliProcess } from "../cli-process.ts";
import { startCli } from "../cli-process.ts";
import type { TestMachine } from "./machine.ts";
import { makeMachine } from "./machine.ts";

let machine: TestMachine;

beforeAll(async () => {
  machine = await makeMachine();
});

afterAll(() => machine.close());

function startCoordinator(): CliProcess {
  const listen = new URL(machine.env["DORA_COORDINATOR"] ?? "").host;
  return startCli(["coordinator", "--listen", listen], { env: machine.env });
}

/** Resolves with the process id that a status tells, other than `before`. */
async function watchedPid(watch: CliProcess, before = "none"): Promise<string | undefined> {
  const text = await watch.waitFor(new RegExp(`"pid": (?!${before}\\b)\\d+`));
  return [...text.matchAll(/"pid": (\d+)/g)].at(-1)?.[1];
}

test("status --watch goes on once its coordinator is back, and says that it was away", async () => {
  const first = startCoordinator();
  await first.waitFor(/./);
  const watch = startCli(["status", "--watch", "--output", "json"], { env: machine.env });
  const pid = await watchedPid(watch);
  first.kill("SIGKILL");
  await first.result;
  const second = startCoordinator();
  expect(await watchedPid(watch, pid)).not.toBe(pid);
  watch.kill("SIGINT");
  const { code, stderr } = await watch.result;
  expect(code).toBe(0);
  expect(stderr.match(/went away: reconnecting/g)).toHaveLength(1);
  second.kill("SIGTERM");
  await second.result;
});
