/**
 * Many small nodes on one machine: how long they take to start, and what all processes use while nothing is sent.
 *
 *     npm run build && node bench/many-nodes.ts [--nodes 100] [--seconds 30]
 *
 * The nodes are a chain, each with an input over a socket and an output, and no node sends. Started as users do it,
 * by `dora up` and `dora start`; with the built package where it is there, else from the sources, which costs each
 * process the stripping of types.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { z } from "zod";
import { makeMachine } from "../test/cli/machine.ts";
import { cpuSeconds, machineLine, residentBytes } from "./process-usage.ts";

const DORA = fileURLToPath(new URL("../bin/dora.js", import.meta.url));
const BUILT = fileURLToPath(new URL("../dist", import.meta.url));
const MB = 1e6;
const NODE = `
import { Node } from "dora-dataflow/node";
await using node = await Node.connect();
for await (const event of node) if (event.type === "input") await node.sendOutput("out", event.bytes());
`;
const NodeList = z.object({ nodes: z.array(z.object({ pid: z.number().nullable() })) });
const PidFile = z.object({ pid: z.number() });

const run = promisify(execFile);
const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "100" },
    seconds: { type: "string", default: "30" },
  },
});
const count = Number(values.nodes);
const seconds = Number(values.seconds);

const machine = await makeMachine();
const env = { ...process.env, ...machine.env };
try {
  await dora("up");
  const startedMs = performance.now();
  await dora("start", writeFlow());
  const startSeconds = (performance.now() - startedMs) / 1000;
  const pids = await readPids();
  // What a start leaves behind, such as its compiler's work and its telemetry, is over by then.
  await sleep(15);
  const before = measure(pids);
  await sleep(seconds);
  const after = measure(pids);

  console.log(`${machineLine()}, ${existsSync(BUILT) ? "built" : "sources"}`);
  console.log(
    `\n${count} nodes ran ${startSeconds.toFixed(1)} s after \`dora start\` was called.\n`,
  );
  console.log("| idle | processes | % of a core | MB resident |");
  console.log("| --- | ---: | ---: | ---: |");
  let all = { processes: 0, percent: 0, megabytes: 0 };
  for (const [name, { processes, cpu, megabytes }] of after) {
    const percent = ((cpu - (before.get(name)?.cpu ?? 0)) / seconds) * 100;
    console.log(`| ${name} | ${processes} | ${percent.toFixed(1)} | ${megabytes.toFixed(0)} |`);
    all = {
      processes: all.processes + processes,
      percent: all.percent + percent,
      megabytes: all.megabytes + megabytes,
    };
  }
  console.log(
    `| all | ${all.processes} | ${all.percent.toFixed(1)} | ${all.megabytes.toFixed(0)} |`,
  );
} finally {
  await machine.close();
}

async function dora(...words: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [DORA, ...words], { env, maxBuffer: 64 * MB });
  return stdout;
}

function writeFlow(): string {
  machine.file("node.mjs", NODE);
  const nodes = Array.from({ length: count }, (_, index) => {
    const inputs = index === 0 ? "" : `inputs: { in: n${index - 1}/out }, `;
    return `  - { id: n${index}, path: node.mjs, ${inputs}outputs: [out] }\n`;
  });
  return machine.file("flow.yml", `nodes:\n${nodes.join("")}`);
}

async function readPids(): Promise<ReadonlyMap<string, readonly number[]>> {
  const services = ["telemetry", "coordinator", "daemon"].map((name): [string, number[]] => {
    const text = readFileSync(join(machine.env["DORA_STATE_DIR"] ?? "", `${name}.pid`), "utf8");
    return [name, [PidFile.parse(JSON.parse(text)).pid]];
  });
  for (;;) {
    const { nodes } = NodeList.parse(JSON.parse(await dora("node", "list", "--output", "json")));
    const pids = nodes.flatMap(({ pid }) => (pid === null ? [] : [pid]));
    if (pids.length === count) return new Map([...services, ["nodes", pids]]);
  }
}

interface Use {
  readonly processes: number;
  readonly cpu: number;
  readonly megabytes: number;
}

function measure(pids: ReadonlyMap<string, readonly number[]>): ReadonlyMap<string, Use> {
  const uses = [...pids].map(([name, of]): [string, Use] => {
    const cpu = of.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
    const bytes = of.reduce((sum, pid) => sum + residentBytes(pid), 0);
    return [name, { processes: of.length, cpu, megabytes: bytes / MB }];
  });
  return new Map(uses);
}

function sleep(forSeconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, forSeconds * 1000));
}
