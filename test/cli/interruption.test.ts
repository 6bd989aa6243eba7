import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { Interruption } from "../../src/cli/interruption.ts";

const FILE = new URL("../../src/cli/interruption.ts", import.meta.url).href;

/** A command that goes on after the first signal, as one does that hangs. */
const HANGING = `
  import { Interruption } from ${JSON.stringify(FILE)};
  const { signal } = new Interruption();
  signal.addEventListener("abort", () => console.log("stopping"));
  setInterval(() => {}, 1000);
  console.log("ready");
`;

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("the second %s ends a command at once with %i", async (name, code) => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", HANGING], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  child.stdout.setEncoding("utf8");
  expect(await once(child.stdout, "data")).toEqual(["ready\n"]);
  child.kill(name);
  expect(await once(child.stdout, "data")).toEqual(["stopping\n"]);
  child.kill(name);
  expect(await once(child, "exit")).toEqual([code, null]);
});

test("a command that is done leaves the process's signals as they were", () => {
  const before = process.listenerCount("SIGINT");
  const interruption = new Interruption();
  expect(process.listenerCount("SIGINT")).toBe(before + 1);
  interruption.close();
  expect(process.listenerCount("SIGINT")).toBe(before);
});
