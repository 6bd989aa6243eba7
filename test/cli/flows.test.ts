/** Dataflows from the command line: real processes on a machine of the test's own. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { CliResult } from "../cli-process.ts";
import { runCli, runShell, startCli } from "../cli-process.ts";
import type { TestMachine } from "./machine.ts";
import { makeMachine } from "./machine.ts";

let machine: TestMachine;

beforeAll(async () => {
  machine = await makeMachine();
  machine.file(
    "sender.mjs",
    `import { Node } from "NODE_LIBRARY";
await using node = await Node.connect();
console.log("greeting", process.env.GREETING);
for await (const event of node) if (event.type === "input") await node.sendOutput("out", Buffer.from("x"));
`,
  );
  machine.file(
    "receiver.mjs",
    `import { Node } from "NODE_LIBRARY";
await using node = await Node.connect();
for await (const event of node) if (event.type === "input") node.log.warn("received");
`,
  );
  machine.file(
    "short.mjs",
    `import { Node } from "NODE_LIBRARY";
await using node = await Node.connect();
for (let count = 0; count < 3; count++) await node.sendOutput("out", Buffer.from("x"));
`,
  );
  machine.file(
    "crash.mjs",
    `import { Node } from "NODE_LIBRARY";
await using node = await Node.connect();
for await (const event of node) {
  if (event.type !== "input") continue;
  console.error("no such camera");
  process.exit(3);
}
`,
  );
  machine.file("broken.mjs", 'console.error("cannot open /dev/video0"); process.exit(4);\n');
  machine.file("flow.yml", flow("sender.mjs", "receiver.mjs"));
});

afterAll(() => machine.close());

afterEach(async () => {
  await dora("stop", "--all", "--force");
});

function flow(sender: string, receiver: string, build = ""): string {
  return `nodes:
  - id: a
    name: Node A
    path: ${sender}
    ${build === "" ? "" : `build: ${JSON.stringify(build)}`}
    inputs: { tick: dora/timer/millis/50 }
    outputs: [out]
  - { id: b, name: Node B, path: ${receiver}, inputs: { in: a/out } }
`;
}

function dora(...words: readonly string[]): Promise<CliResult> {
  return runCli(words, { env: machine.env });
}

/** As words of a shell. */
function variables(): string {
  return Object.entries(machine.env)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** Times of a run, made equal. */
function timeless(text: string): string {
  return text.replaceAll(/\d+\.\ds/g, "0.0s").replaceAll(machine.folder, "FOLDER");
}

const RUNNING = `📡 Establishing connections:
    Node A ➔ Node B  ▓▓▓▓▓▓▓▓▓▓▓▓▓ 100% [✅ done in 0.0s]

🚀 Starting dataflow:
    Node A [✔ running]
    Node B [✔ running]

🌟 Dataflow running successfully!
Tip: Use \`dora logs\` for real-time monitoring.
`;

describe("dora start", () => {
  test("the first start brings up what does not run, and says so", async () => {
    const { code, stdout, stderr } = await dora("start", join(machine.folder, "flow.yml"));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(timeless(stdout).replaceAll(/http:\S+/g, "URL")).toBe(
      `⏳ Loading configuration... [✅ done in 0.0s]

🔧 Starting what does not run yet:
    telemetry [✅ started in 0.0s] URL
    coordinator [✅ started in 0.0s] URL
    daemon [✅ started in 0.0s] URL
    \`dora down\` stops it.

🔧 Building nodes: [✅ nothing to build]

${RUNNING}`,
    );
  });

  test("a start is the picture, word for word", async () => {
    const file = machine.file("built.yml", flow("sender.mjs", "receiver.mjs", "true\ntrue"));
    expect(timeless((await dora("start", file)).stdout)).toBe(
      `⏳ Loading configuration... [✅ done in 0.0s]

🔧 Building nodes:
    Node A    ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓ 100% [✅ done in 0.0s]

${RUNNING}`,
    );
  });

  test("a failed build is the picture, word for word, and starts nothing", async () => {
    const build = "echo 'error: no matching package named `tokio` found' >&2; exit 101";
    const file = machine.file("unbuilt.yml", flow("sender.mjs", "receiver.mjs", build));
    const picture = (retry: string): string => `
🚨 Build Failed:
    ❌ Node A [failed: Missing dependency \`tokio\`]

💡 Suggested Fix:
    1. Navigate to the Node A directory.
    2. Install the missing dependency: \`cargo add tokio\`.
    3. Retry: \`${retry}\`.

📄 Error details logged at: FOLDER/out/build.txt
`;
    const { code, stdout } = await dora("start", file);
    expect(code).toBe(1);
    expect(timeless(stdout)).toBe(`⏳ Loading configuration... [✅ done in 0.0s]

🔧 Building nodes:
    Node A    ▓                    0%   [❌ Error, 0.0s elapsed]
${picture("dora build FOLDER/unbuilt.yml")}`);
    expect(readFileSync(join(machine.folder, "out", "build.txt"), "utf8")).toContain("tokio");
    const built = await dora("build", file);
    expect(built.code).toBe(1);
    expect(timeless(built.stdout)).toContain(picture("dora build FOLDER/unbuilt.yml"));
    expect((await dora("node", "list")).stdout).toBe("no node runs\n");
  });

  test("a fault in the file is told as dora validate does, before anything runs", async () => {
    const file = machine.file(
      "fault.yml",
      flow("sender.mjs", "receiver.mjs").replace("a/out", "c/out"),
    );
    const { code, stdout, stderr } = await dora("start", file);
    expect(code).toBe(1);
    expect(timeless(stdout)).toBe("⏳ Loading configuration... [❌ failed in 0.0s]\n");
    expect(stderr).toContain(`fault.yml:`);
    expect(stderr).toContain("error: there is no node `c`");
    expect(stderr).toContain("is not valid: 1 problem\nhint: ");
  });

  test("a program that is not there is a fault of the file", async () => {
    const file = machine.file("gone.yml", flow("gone.mjs", "receiver.mjs"));
    const { code, stdout } = await dora("start", file);
    expect(code).toBe(1);
    expect(stdout).toContain("🚨 Start Failed:\n    ❌ Node A [failed: cannot be started: ");
    expect(stdout).toContain("1. Correct what `path` of Node A names in ");
  });

  test("a node that misbehaves at the start is named, with its last words and what it took down", async () => {
    const file = machine.file("broken.yml", flow("sender.mjs", "broken.mjs"));
    const { code, stdout } = await dora("start", file);
    expect(code).toBe(1);
    expect(timeless(stdout)).toContain(`
🚨 Start Failed:
    ❌ Node B [failed first: exit code 4]
        cannot open /dev/video0
    🛑 Node A [ended because of it]

💡 Suggested Fix:
    1. See what Node B logged: \`dora logs --dataflow broken --node b\`.
    2. Retry: \`dora start FOLDER/broken.yml\`.
`);
  });

  test("--output json is one document: of what runs, or of what failed", async () => {
    const Answer = z.looseObject({ name: z.string(), state: z.string() });
    const flowFile = join(machine.folder, "flow.yml");
    const running = await dora("start", flowFile, "--name", "one", "--output", "json");
    expect(Answer.parse(JSON.parse(running.stdout))).toMatchObject({
      name: "one",
      state: "running",
    });
    const again = await dora("start", flowFile, "--name", "one", "--output", "json");
    expect(again).toMatchObject({ code: 1, stdout: "" });
    expect(again.stderr).toContain("a dataflow one runs already");
    const broken = machine.file("broken.yml", flow("sender.mjs", "broken.mjs"));
    const failed = await dora("start", broken, "--output", "json");
    expect(failed.code).toBe(1);
    expect(Answer.parse(JSON.parse(failed.stdout))).toMatchObject({
      state: "failed",
      failure: { node: "b" },
    });
  });

  test("Ctrl-C before it runs stops what was begun, 130", async () => {
    const file = machine.file("slow.yml", flow("sender.mjs", "receiver.mjs", "sleep 60"));
    const starting = startCli(["start", file], { env: machine.env });
    await starting.waitFor(/Building nodes:$/m);
    starting.kill("SIGINT");
    const { code, stderr } = await starting.result;
    expect(code).toBe(130);
    expect(stderr).toContain("stopped dataflow slow, which had not started yet");
    await dora("stop", "--all");
    expect((await dora("node", "list")).stdout).toBe("no node runs\n");
  });

  test("--attach goes on with its records, and Ctrl-C stops it", async () => {
    const running = startCli(["start", join(machine.folder, "flow.yml"), "--attach"], {
      env: machine.env,
    });
    const text = await running.waitFor(/received/);
    expect(text.indexOf("Tip: Use `dora logs`")).toBeLessThan(text.indexOf("received"));
    running.kill("SIGINT");
    const { code, stdout } = await running.result;
    expect(code).toBe(0);
    expect(stdout).toContain("The dataflow is stopped.");
    expect((await dora("node", "list")).stdout).toBe("no node runs\n");
  });

  test("wrong usage: no file, a variable without a value, flags that exclude each other", async () => {
    expect(await dora("start")).toMatchObject({ code: 2 });
    const file = join(machine.folder, "flow.yml");
    expect(await dora("start", file, "--env", "GREETING")).toMatchObject({ code: 2 });
    expect(await dora("start", file, "--attach", "--detach")).toMatchObject({ code: 2 });
  });
});

describe("dora run", () => {
  test("it shows records until the dataflow has ended", async () => {
    const file = machine.file(
      "short.yml",
      flow("short.mjs", "receiver.mjs").replace("inputs: { tick: dora/timer/millis/50 }", ""),
    );
    const { code, stdout } = await dora("run", file);
    expect(code).toBe(0);
    const lines = stdout.split("\n");
    expect(lines[0]).toBe("✔ Starting dataflow: short");
    expect(lines.filter((line) => line.endsWith("[WARN] [Node B] received"))).toHaveLength(3);
    expect(stdout).toContain("The dataflow is completed.");
  });

  test("a profile names the file, the dataflow and variables, and is said to be loaded", async () => {
    machine.file("named.yml", "nodes: [{ id: a, path: named.mjs }]");
    machine.file("named.mjs", "console.log(process.env.GREETING, process.env.OTHER);");
    machine.file(
      "dora-profiles.yaml",
      `profiles:
  staging:
    file: named.yml
    name: MyDataflow
    environment: { GREETING: profile, OTHER: profile }
`,
    );
    const inFolder = (command: string): Promise<CliResult> =>
      runShell(`cd ${machine.folder}; export ${variables()}; $DORA ${command}`);
    const { code, stdout } = await inFolder("run --profile=staging --env OTHER=flag");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Loaded profile: staging\n✔ Starting dataflow: MyDataflow\n/);
    expect(stdout).toContain("[a] profile flag\n");
    const started = await inFolder("start --profile staging");
    expect(started.stdout).toMatch(/^Loaded profile: staging\n⏳ Loading configuration/);
    const unknown = await inFolder("run --profile stagin");
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('no profile "stagin", did you mean "staging"?');
  });

  test("what it had to bring up it takes down at its end", async () => {
    const fresh = await makeMachine();
    try {
      const file = fresh.file("flow.yml", "nodes: [{ id: a, path: a.mjs }]");
      fresh.file("a.mjs", 'console.log("here");');
      const { env } = fresh;
      const { code, stdout, stderr } = await runCli(["run", file], { env });
      expect(code).toBe(0);
      expect(stdout).toContain("[a] here");
      expect(stderr).toContain("daemon [✅ started in");
      const after = await runCli(["node", "list"], { env });
      expect(after.stderr).toContain("nothing listens there");
      expect((await runCli(["down"], { env })).stdout).not.toContain("stopped");
    } finally {
      await fresh.close();
    }
  });

  test("Ctrl-C stops it, which is no failure; nodes have this shell's environment and --env", async () => {
    const file = join(machine.folder, "flow.yml");
    const env = { ...machine.env, GREETING: "shell" };
    const running = startCli(["run", file], { env });
    await running.waitFor(/greeting shell/);
    running.kill("SIGINT");
    const { code, stderr } = await running.result;
    expect(code).toBe(0);
    expect(stderr).toContain("🛑 Stopping flow... Ctrl-C again leaves at once.");
    const other = startCli(["run", file, "--env", "GREETING=flag"], { env });
    await other.waitFor(/greeting flag/);
    other.kill("SIGINT");
    expect((await other.result).code).toBe(0);
  });

  test("a second Ctrl-C leaves at once, 130, however long a node takes to stop", async () => {
    machine.file(
      "stubborn.mjs",
      `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("here");`,
    );
    const file = machine.file("stubborn.yml", "nodes: [{ id: a, path: stubborn.mjs }]");
    const running = startCli(["run", file], { env: machine.env });
    await running.waitFor(/\] here$/m);
    running.kill("SIGINT");
    await running.waitFor(/The dataflow is being stopped/);
    running.kill("SIGINT");
    expect((await running.result).code).toBe(130);
  });

  test("a reader that went away stops it", async () => {
    const { code, stdout } = await runShell(
      `set +o pipefail; env ${variables()} $DORA run ${join(machine.folder, "flow.yml")} | head -n 3`,
    );
    expect(code).toBe(0);
    expect(stdout.split("\n")).toHaveLength(4);
    expect((await dora("stop", "--all")).stdout).toBe("no dataflow runs\n");
  });

  test("a dataflow that failed ends it with the summary and exit code 1", async () => {
    const text = flow("short.mjs", "crash.mjs");
    const file = machine.file(
      "crash.yml",
      text.replace("inputs: { tick: dora/timer/millis/50 }", ""),
    );
    const { code, stdout } = await dora("run", file);
    expect(code).toBe(1);
    expect(stdout).toContain(`
🚨 Dataflow Failed:
    ❌ Node B [failed first: exit code 3]
        no such camera
`);
  });
});

describe("dora stop, pause, resume, restart", () => {
  test("without a name the only one that runs is meant; of several the candidates are told", async () => {
    const file = join(machine.folder, "flow.yml");
    expect((await dora("stop")).stderr).toContain("no dataflow runs\nhint: start one with");
    await dora("start", file, "--name", "one");
    expect((await dora("pause")).stdout).toBe("✔ paused one\n");
    expect((await dora("node", "info", "Node A")).stdout).toMatch(/^Status: +Paused$/m);
    expect((await dora("resume", "one", "Node A")).stdout).toBe("✔ resumed Node A of one\n");
    await dora("start", file, "--name", "two");
    const unclear = await dora("stop");
    expect(unclear.code).toBe(1);
    expect(unclear.stderr).toMatch(
      /^2 dataflows run; say which is meant:\n {2}\S+ {2}one \(\w+\)\n/,
    );
    expect(timeless((await dora("stop", "two")).stdout)).toBe("✔ stopped two [0.0s]\n");
    expect(timeless((await dora("stop", "--all")).stdout)).toBe("✔ stopped one [0.0s]\n");
    expect((await dora("stop", "--all")).stdout).toBe("no dataflow runs\n");
  });

  test("restart shows a start; of a node it waits until it runs again", async () => {
    await dora("start", join(machine.folder, "flow.yml"));
    expect((await dora("restart", "flow", "b")).stdout).toBe("✔ restarted Node B of flow\n");
    const { code, stdout } = await dora("restart");
    expect(code).toBe(0);
    expect(timeless(stdout)).toContain("    Node B [✔ running]\n\n✔ restarted flow\n");
  });

  test("flags that do not go together are refused", async () => {
    expect(await dora("stop", "flow", "--all")).toMatchObject({ code: 2 });
    expect(await dora("stop", "flow", "--grace", "1s", "--force")).toMatchObject({ code: 2 });
    expect(await dora("stop", "flow", "--grace", "soon")).toMatchObject({ code: 2 });
  });
});

describe("dora node", () => {
  test("list and info, as tables and documents", async () => {
    await dora("start", join(machine.folder, "flow.yml"));
    const list = await dora("node", "list");
    expect(list.stdout).toContain("| Dataflow | Node   | Id | Status  |");
    expect(list.stdout).toMatch(/\| flow +\| Node A \| a +\| Running \|/);
    const document = z.object({ nodes: z.array(z.looseObject({ id: z.string() })) });
    const json = await dora("node", "list", "--output", "json");
    expect(document.parse(JSON.parse(json.stdout)).nodes).toMatchObject([
      { dataflow: "flow", id: "a", name: "Node A", state: "running" },
      { dataflow: "flow", id: "b", name: "Node B", state: "running" },
    ]);
    expect((await dora("node", "info", "b", "--output", "yaml")).stdout).toContain(
      "link: a/out->b/in",
    );
    const unknown = await dora("node", "info", "c");
    expect(unknown).toMatchObject({ code: 1, stdout: "" });
    expect(unknown.stderr).toContain("hint: its nodes are: a, b");
  });

  test("parameters and links change while it runs", async () => {
    await dora("start", join(machine.folder, "flow.yml"));
    expect((await dora("node", "set", "b", "rate=2.5", "mode=fast", "on=true")).stdout).toBe(
      '✔ rate of Node B is 2.5\n✔ mode of Node B is "fast"\n✔ on of Node B is true\n',
    );
    expect((await dora("node", "set", "b", "--delete", "rate")).stdout).toBe(
      "✔ rate of Node B is gone\n",
    );
    expect((await dora("node", "set", "b")).code).toBe(2);
    expect((await dora("node", "set", "b", 'x={"a":1}')).code).toBe(2);
    expect((await dora("node", "disconnect", "a/out", "b/in")).stdout).toBe(
      "✔ disconnected a/out ➔ b/in\n",
    );
    expect((await dora("node", "disconnect", "a/out", "b/in")).code).toBe(1);
    expect((await dora("node", "connect", "a/out", "b/in")).stdout).toBe(
      "✔ connected a/out ➔ b/in\n",
    );
    expect((await dora("node", "connect", "a", "b/in")).code).toBe(2);
  });
});
