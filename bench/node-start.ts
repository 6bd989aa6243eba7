/**
 * What the node library costs a process at its start, as it is shipped: compiled, no type stripping.
 *
 *     node bench/node-start.ts [--runs 20]
 *
 * Each run is a process of its own, which connects to a daemon's side in this one and says what it has used
 * by then: CPU of all threads, user and system, since it was started, and its resident size.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { z } from "zod";
import { encodeJsonFrame, FrameReader } from "../src/runtime/protocol/frames.ts";
import type { NodeConfig } from "../src/runtime/protocol/node-messages.ts";
import { machineLine } from "./process-usage.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const Use = z.object({ cpuMs: z.number(), residentMb: z.number() });
type Use = z.infer<typeof Use>;

const TELL = `
  const { user, system } = process.cpuUsage();
  const residentMb = process.memoryUsage.rss() / 1e6;
  process.stdout.write(JSON.stringify({ cpuMs: (user + system) / 1000, residentMb }));
`;
const CONNECT = `
  import { Node } from "./dist/runtime/node/index.js";
  const node = await Node.connect();
`;
const CLOSE = "\nawait node.close();\n";

const PROGRAMS = {
  "Node alone": TELL,
  "the library, connected": CONNECT + TELL + CLOSE,
  "… one message of bytes sent": `${CONNECT}await node.sendOutput("out", Buffer.from("x"));${TELL}${CLOSE}`,
  "… one Arrow value sent": `${CONNECT}await node.sendOutput("out", Float32Array.of(1));${TELL}${CLOSE}`,
};

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { runs: { type: "string", default: "20" } } });
  mkdirSync(join(ROOT, "bench/data"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "bench/data/node-start-"));
  const socketPath = join(folder, "daemon.sock");
  const server = net.createServer((socket) => serve(socket, folder)).listen(socketPath);
  try {
    compile(folder);
    console.log(machineLine());
    console.log("\n| a process with | CPU ms, median | CPU ms, worst | resident MB, median |");
    console.log("| --- | ---: | ---: | ---: |");
    for (const [name, program] of Object.entries(PROGRAMS)) {
      const file = join(folder, "program.mjs");
      writeFileSync(file, program);
      const uses: Use[] = [];
      for (let run = 0; run < Number(values.runs); run++) uses.push(await start(file, socketPath));
      const cpu = uses.map(({ cpuMs }) => cpuMs).sort((left, right) => left - right);
      const resident = uses.map(({ residentMb }) => residentMb).sort((left, right) => left - right);
      const row = [median(cpu), cpu.at(-1) ?? 0, median(resident)].map((value) => value.toFixed(1));
      console.log(`| ${name} | ${row.join(" | ")} |`);
    }
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The library alone, as `npm run build` compiles it. */
function compile(folder: string): void {
  const configuration = join(folder, "tsconfig.json");
  const compilerOptions = { rootDir: join(ROOT, "src"), outDir: join(folder, "dist") };
  const files = [join(ROOT, "src/runtime/node/index.ts")];
  const extended = join(ROOT, "tsconfig.build.json");
  const text = JSON.stringify({ extends: extended, compilerOptions, files, include: [] });
  writeFileSync(configuration, text);
  execFileSync(process.execPath, [
    join(ROOT, "node_modules/typescript/bin/tsc"),
    "-p",
    configuration,
  ]);
}

/** A daemon's side that knows one node. */
function serve(socket: net.Socket, folder: string): void {
  const reader = new FrameReader();
  const config: NodeConfig = {
    dataflow: { id: "flow", name: "flow" },
    node: { id: "bench", name: "bench" },
    inputs: [],
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

async function start(file: string, socketPath: string): Promise<Use> {
  const child = spawn(process.execPath, [file], {
    env: { ...process.env, DORA_NODE_ID: "bench", DORA_DAEMON_SOCKET: socketPath },
    stdio: ["ignore", "pipe", "inherit"],
  });
  return Use.parse(await json(child.stdout));
}

function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)];
}

await main();
