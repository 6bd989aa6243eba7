/** A newcomer's first minutes, in a real terminal: init, start, status, logs, stop, down. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
/** Processes are looked for in /proc. */
const HAS_TMUX = process.platform === "linux" && spawnSync("tmux", ["-V"]).status === 0;
/** Of one step, on a machine that has much else to do. */
const STEP_MS_MAX = 60_000;
const SOCKET = `dora-newcomer-${process.pid}`;

const base = mkdtempSync(join(tmpdir(), "dora-newcomer-"));
const folder = join(base, "project");

function tmux(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync("tmux", ["-L", SOCKET, ...args], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`tmux ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** What stands on the screen, without the empty lines at its end. */
function screen(): string {
  return tmux("capture-pane", "-p", "-J", "-t", "it")
    .replaceAll(/[ \t]+$/gm, "")
    .trimEnd();
}

/** Resolves with the screen once it matches. */
async function waitFor(pattern: RegExp): Promise<string> {
  const deadlineMs = performance.now() + STEP_MS_MAX;
  for (;;) {
    const shown = screen();
    if (pattern.test(shown)) return shown;
    if (performance.now() > deadlineMs) throw new Error(`no ${pattern} on:\n${shown}`);
    await sleep(50);
  }
}

function type(text: string): void {
  tmux("send-keys", "-t", "it", "-l", text);
  tmux("send-keys", "-t", "it", "Enter");
}

/** Runs a command on an empty screen, to its end; gives what it showed. */
async function run(command: string): Promise<string> {
  type("clear");
  await waitFor(/^❯$/);
  type(`${command}; echo "ended: $?"`);
  const shown = await waitFor(/^ended: \d+\n❯$/m);
  return shown.split("\n").slice(1, -1).join("\n");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Programs that have our state folder in their environment: services, nodes and what they started. */
function processesLeft(): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`DORA_STATE_DIR=${base}`);
    } catch {
      return false;
    }
  });
}

beforeAll(async () => {
  if (!HAS_TMUX) return;
  const bin = join(base, "bin");
  for (const path of [folder, bin, join(base, "run")]) mkdirSync(path, { mode: 0o700 });
  writeFileSync(join(bin, "dora"), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
  chmodSync(join(bin, "dora"), 0o755);
  const environment = {
    PATH: `${bin}:${process.env["PATH"] ?? ""}`,
    HOME: base,
    HISTFILE: "/dev/null",
    LANG: "C.UTF-8",
    PS1: "❯ ",
    DORA_STATE_DIR: join(base, "state"),
    DORA_DATA_DIR: join(base, "data"),
    XDG_RUNTIME_DIR: join(base, "run"),
    DORA_API: `127.0.0.1:${await freePort()}`,
    DORA_OTLP_GRPC: `127.0.0.1:${await freePort()}`,
    DORA_OTLP_HTTP: `127.0.0.1:${await freePort()}`,
    DORA_COORDINATOR: `http://127.0.0.1:${await freePort()}`,
  };
  const words = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const shell = ["env", "-i", "TERM=tmux-256color", ...words, "bash", "--norc", "--noprofile"];
  tmux(
    "-f",
    "/dev/null",
    "new-session",
    "-d",
    "-s",
    "it",
    "-x",
    "110",
    "-y",
    "45",
    "-c",
    folder,
    ...shell,
  );
  await waitFor(/^❯$/);
});

afterAll(async () => {
  if (HAS_TMUX) {
    await run("dora down --force");
    tmux("kill-server");
  }
  rmSync(base, { recursive: true, force: true });
});

describe.skipIf(!HAS_TMUX)("in a terminal (needs Linux and tmux: apt install tmux)", () => {
  test("Ctrl-C in the middle of dora init saves nothing", async () => {
    type("clear");
    await waitFor(/^❯$/);
    type(`dora init; echo "ended: $?"`);
    await waitFor(/\? Name your dataflow:$/);
    type("shop");
    await waitFor(/\? Select a runtime environment: local$/);
    tmux("send-keys", "-t", "it", "C-c");
    expect(await waitFor(/^ended: \d+$/m)).toContain("Nothing was saved.\nended: 130");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("dora init asks, and what it saves starts as it is, shows itself, and ends", async () => {
    type("clear");
    await waitFor(/^❯$/);
    type("dora init");
    const answers: readonly (readonly [RegExp, string])[] = [
      [/\? Name your dataflow:$/, "dataflow-name"],
      [/\? Select a runtime environment: local$/, ""],
      [/\? Add a node \(leave empty to finish\):$/, "node-a"],
      [/\? Add another node \(leave empty to finish\):$/, "node-b"],
      [/\? Add another node \(leave empty to finish\):$/, ""],
      [/\? Configure logging level \[INFO\]:$/, ""],
      [/\? Save configuration as `dataflow.yaml`\? \[y\/N\]:$/, "y"],
    ];
    for (const [question, answer] of answers) {
      await waitFor(question);
      type(answer);
    }
    expect(await waitFor(/to begin\.\n❯$/)).toBe(`❯ dora init
Welcome to Dora! Lets set up your dataflow.

✔ Name your dataflow: dataflow-name
✔ Select a runtime environment: local
✔ Add a node (leave empty to finish): node-a
✔ Add another node (leave empty to finish): node-b
✔ Configure logging level [INFO]:
✔ Save configuration as \`dataflow.yaml\`? [y/N]: y

Configuration saved! Use \`dora start dataflow.yaml\` to begin.
❯`);
    expect(existsSync(join(folder, "node-b.mjs"))).toBe(true);

    const started = await run("dora start dataflow.yaml");
    expect(started).toMatch(/^ {4}telemetry \[✅ started in .*\n {4}coordinator .*\n {4}daemon /m);
    expect(started).toMatch(/^ {4}node-a ➔ node-b {2}▓{13} 100% \[✅ done in /m);
    expect(started).toMatch(/^ {4}node-a \[✔ running\]\n {4}node-b \[✔ running\]$/m);
    expect(started).toMatch(/🌟 Dataflow running successfully!\n.*`dora logs`.*\nended: 0$/);

    // A number is sent each second.
    let status = "";
    while (!/\| node-b +\| Running \| (?!0 )[\d.]+ msgs\/s/.test(status)) {
      status = await run("dora status");
    }
    expect(status).toMatch(/^\| Node +\| Status +\| Input Rate +\| Latency +\| Errors +\|$/m);
    expect(status).toMatch(/dataflow-name[^]*\nended: 0$/);

    let logs = "";
    while (!logs.includes("became")) logs = await run("dora logs --tail 10");
    expect(logs).toMatch(/^\[\d{4}-.{21}Z\] \[INFO\] \[node-a\] count is \d+$/m);
    const [, count, result] =
      /^\[.{27}\] \[INFO\] \[node-b\] (\d+) became (\d+)$/m.exec(logs) ?? [];
    expect(Number(result)).toBe(2 * Number(count));

    expect(await run("dora down")).toMatch(/dataflow-name[^]*hint: [^]*ended: 1$/);
    expect(await run("dora stop")).toMatch(/stopped dataflow-name[^]*\nended: 0$/);
    expect(processesLeft().length).toBeGreaterThan(1);
    expect(await run("dora down")).toBe(
      "stopped daemon\nstopped coordinator\nstopped telemetry\nended: 0",
    );
    // The shell in the terminal has it too.
    expect(processesLeft()).toHaveLength(1);
  });
});
