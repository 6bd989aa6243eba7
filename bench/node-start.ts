/**
 * What the node library costs a process at its start, as it is shipped: compiled and bundled; `--plain` leaves the bundle out.
 *
 *     node bench/node-start.ts [--runs 20] [--plain]
 *
 * Each run is a process of its own, which connects to a daemon's side in this one and says what it has used
 * by then: CPU of all threads, user and system, since it was started, and its memory. Programs take turns, so
 * that what else the machine does meanwhile meets all of them alike. Of the resident memory only the private
 * part is a process's own: the rest is pages of Node's own program, which all processes share.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { loadavg } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { z } from "zod";
import { encodeJsonFrame, FrameReader } from "../src/runtime/protocol/frames.ts";
import type { NodeConfig } from "../src/runtime/protocol/node-messages.ts";
import { bundleNode, ENTRIES } from "../scripts/bundle-node.ts";
import { machineLine } from "./process-usage.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const Use = z.object({ cpuMs: z.number(), residentMb: z.number(), privateMb: z.number() });
type Use = z.infer<typeof Use>;

const TELL = `
  const { user, system } = process.cpuUsage();
  const residentMb = process.memoryUsage.rss() / 1e6;
  const status = process.getBuiltinModule("node:fs").readFileSync("/proc/self/status", "utf8");
  const privateMb = (Number(/RssAnon:\\s+(\\d+)/.exec(status)[1]) * 1024) / 1e6;
  process.stdout.write(JSON.stringify({ cpuMs: (user + system) / 1000, residentMb, privateMb }));
`;
const CONNECT = `
  import { Node } from "./dist/runtime/node/index.js";
  const node = await Node.connect();
`;
const CLOSE = "\nawait node.close();\n";

interface Program {
  readonly text: string;
  readonly inputs?: NodeConfig["inputs"];
}

const INPUT: NodeConfig["inputs"][number] = {
  id: "in",
  source: {
    kind: "link",
    link: "camera/out->bench/in",
    node: "camera",
    output: "out",
    transport: { kind: "socket", options: {} },
  },
  queueSize: 10,
  queuePolicy: "drop_oldest",
};

const PROGRAMS: Readonly<Record<string, Program>> = {
  "Node alone": { text: TELL },
  "the library, connected": { text: CONNECT + TELL + CLOSE },
  "… with an input over a socket": { text: CONNECT + TELL + CLOSE, inputs: [INPUT] },
  "… one message of bytes sent": {
    text: `${CONNECT}await node.sendOutput("out", Buffer.from("x"));${TELL}${CLOSE}`,
  },
  "… one Arrow value sent": {
    text: `${CONNECT}await node.sendOutput("out", Float32Array.of(1));${TELL}${CLOSE}`,
  },
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { runs: { type: "string", default: "20" }, plain: { type: "boolean" } },
  });
  mkdirSync(join(ROOT, "bench/data"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "bench/data/node-start-"));
  try {
    await compile(folder, values.plain !== true);
    const uses = new Map(Object.keys(PROGRAMS).map((name): [string, Use[]] => [name, []]));
    for (let run = 0; run < Number(values.runs); run++) {
      for (const [name, program] of Object.entries(PROGRAMS)) {
        uses.get(name)?.push(await start(program, folder));
      }
    }
    console.log(`${machineLine()}, load ${loadavg()[0].toFixed(1)}`);
    console.log("\n| a process with | CPU ms, least | CPU ms, median | resident MB | private MB |");
    console.log("| --- | ---: | ---: | ---: | ---: |");
    for (const [name, of] of uses) console.log(writeRow(name, of));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeRow(name: string, uses: readonly Use[]): string {
  const sorted = (key: keyof Use): readonly number[] =>
    uses.map(({ [key]: value }) => value).sort((left, right) => left - right);
  const cpu = sorted("cpuMs");
  const memory = [median(sorted("residentMb")), median(sorted("privateMb"))];
  const row = [cpu[0], median(cpu), ...memory].map((value) => value.toFixed(1));
  return `| ${name} | ${row.join(" | ")} |`;
}

/** The library alone, as `npm run build` makes it. */
async function compile(folder: string, isBundled: boolean): Promise<void> {
  const configuration = join(folder, "tsconfig.json");
  const compilerOptions = { rootDir: join(ROOT, "src"), outDir: join(folder, "dist") };
  const files = ENTRIES.map((entry) => join(ROOT, `src/runtime/node/${entry}.ts`));
  const extended = join(ROOT, "tsconfig.build.json");
  const text = JSON.stringify({ extends: extended, compilerOptions, files, include: [] });
  writeFileSync(configuration, text);
  execFileSync(process.execPath, [
    join(ROOT, "node_modules/typescript/bin/tsc"),
    "-p",
    configuration,
  ]);
  if (isBundled) await bundleNode(join(folder, "dist"));
}

/** A daemon's side that knows one node. */
function serve(socket: net.Socket, folder: string, inputs: NodeConfig["inputs"]): void {
  const reader = new FrameReader();
  const config: NodeConfig = {
    dataflow: { id: "flow", name: "flow" },
    node: { id: "bench", name: "bench" },
    inputs,
    outputs: [{ id: "out", format: "arrow" }],
    parameters: {},
    runDirectory: folder,
    linkToken: "token",
    operators: [],
  };
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    for (const { body } of reader.read(chunk)) {
      const text = body.toString("latin1");
      if (text.includes('"hello"')) socket.write(encodeJsonFrame({ type: "welcome", config }));
      if (text.includes('"listening"')) socket.write(encodeJsonFrame({ type: "start" }));
    }
  });
}

async function start({ text, inputs = [] }: Program, folder: string): Promise<Use> {
  const file = join(folder, "program.mjs");
  const socketPath = join(folder, "daemon.sock");
  writeFileSync(file, text);
  const server = net.createServer((socket) => serve(socket, folder, inputs)).listen(socketPath);
  try {
    const child = spawn(process.execPath, [file], {
      env: { ...process.env, DORA_NODE_ID: "bench", DORA_DAEMON_SOCKET: socketPath },
      stdio: ["ignore", "pipe", "inherit"],
    });
    return Use.parse(await json(child.stdout));
  } finally {
    server.close();
  }
}

function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)];
}

await main();
