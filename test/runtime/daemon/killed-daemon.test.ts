import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { removeRunFolders } from "../../../src/runtime/daemon/daemon-folder.ts";
import { ProcessRecord } from "../../../src/runtime/daemon/process-record.ts";
import { isAlive } from "./daemon-harness.ts";

const PROCESS = fileURLToPath(new URL("daemon-process.ts", import.meta.url));

/** A daemon in a process of its own that runs a dataflow of `sleep`-like programs. */
async function startDaemonProcess() {
  const folder = mkdtempSync(join(tmpdir(), "dora-killed-"));
  writeFileSync(join(folder, "one.sh"), ONE, { mode: 0o755 });
  writeFileSync(join(folder, "two.sh"), TWO, { mode: 0o755 });
  writeFileSync(join(folder, "dataflow.yml"), FLOW);
  const child = spawn(process.execPath, [PROCESS, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
    removeRunFolders(join(folder, "run"));
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const pids = (name: string): number[] =>
    [...text.matchAll(new RegExp(`^${name} (\\d+)$`, "gm"))].map(([, pid]) => Number(pid));
  /** Never 0, which would kill all that runs the tests. */
  const killGuard = async (): Promise<void> => {
    await expect.poll(() => pids("guard")).toHaveLength(1);
    process.kill(pids("guard")[0], "SIGKILL");
  };
  return { child, folder, pids, killGuard };
}

/** Deaf to signals, with a child. */
const ONE = `#!/bin/sh
trap '' TERM HUP INT
echo node $$
sleep 1000 &
echo node $!
wait
`;
const TWO = "#!/bin/sh\necho node $$\nexec sleep 1000\n";
const FLOW = "nodes: [{ id: one, path: one.sh }, { id: two, path: two.sh }]";

test("a daemon that is killed with -9 leaves no process behind, children of nodes included", async () => {
  const { child, pids } = await startDaemonProcess();
  await expect.poll(() => pids("node")).toHaveLength(3);
  expect(pids("node").every(isAlive)).toBe(true);
  child.kill("SIGKILL");
  await expect.poll(() => pids("node").filter(isAlive)).toEqual([]);
});

test("the guard is replaced when it is killed, and the new one knows what runs", async () => {
  const { child, pids, killGuard } = await startDaemonProcess();
  await expect.poll(() => pids("node")).toHaveLength(3);
  await killGuard();
  await expect.poll(() => pids("guard")).toHaveLength(2);
  child.kill("SIGKILL");
  await expect.poll(() => pids("node").filter(isAlive)).toEqual([]);
});

test("what a daemon that was killed with its guard left behind is killed by the next one", async () => {
  const first = await startDaemonProcess();
  await expect.poll(() => first.pids("node")).toHaveLength(3);
  await expect.poll(() => first.pids("recorded")).toHaveLength(2);
  // Stopped, so that it cannot start another guard.
  await expect.poll(() => first.pids("guard")).toHaveLength(1);
  first.child.kill("SIGSTOP");
  await first.killGuard();
  first.child.kill("SIGKILL");
  await expect.poll(() => isAlive(first.child.pid ?? 0)).toBe(false);
  expect(first.pids("node").every(isAlive)).toBe(true);
  const reaped = await new ProcessRecord(join(first.folder, "run")).reap();
  expect(reaped.map(({ node }) => node.split("/")[1]).toSorted()).toEqual(["one", "two"]);
  await expect.poll(() => first.pids("node").filter(isAlive)).toEqual([]);
});

test("a process that has the recorded id by chance is left alone", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dora-record-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const bystander = spawn("sleep", ["1000"], { detached: true });
  onTestFinished(() => void bystander.kill("SIGKILL"));
  const pid = bystander.pid ?? 0;
  const records = [{ pid, startedAt: "1", node: "flow/a" }];
  writeFileSync(join(folder, "processes.json"), JSON.stringify(records));
  expect(await new ProcessRecord(folder).reap()).toEqual([]);
  expect(isAlive(pid)).toBe(true);
});
