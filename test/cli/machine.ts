/** A machine of a test's own: folders and ports that nobody else has, for commands that run processes in the background. */
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli } from "../cli-process.ts";

const NODE_LIBRARY = new URL("../../src/runtime/node/index.ts", import.meta.url).href;

export interface TestMachine {
  /** Where dataflow files are put. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Writes a file beneath `folder`; `NODE_LIBRARY` in it is the node library. Gives its path. */
  file(name: string, text: string): string;
  /** Stops all that runs. */
  close(): Promise<void>;
}

export async function makeMachine(): Promise<TestMachine> {
  const root = mkdtempSync(join(tmpdir(), "dora-machine-"));
  const folder = join(root, "flow");
  for (const name of ["flow", "run"]) mkdirSync(join(root, name), { mode: 0o700 });
  const [grpc, http, api, coordinator] = await freePorts(4);
  const env = {
    HOME: root,
    XDG_RUNTIME_DIR: join(root, "run"),
    DORA_STATE_DIR: join(root, "state"),
    DORA_DATA_DIR: join(root, "data"),
    DORA_OTLP_GRPC: `127.0.0.1:${grpc}`,
    DORA_OTLP_HTTP: `127.0.0.1:${http}`,
    DORA_API: `127.0.0.1:${api}`,
    DORA_COORDINATOR: `http://127.0.0.1:${coordinator}`,
  };
  return {
    folder,
    env,
    file(name, text) {
      const path = join(folder, name);
      writeFileSync(path, text.replaceAll("NODE_LIBRARY", NODE_LIBRARY));
      return path;
    },
    async close() {
      await runCli(["down", "--force"], { env });
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Ports that nobody listens on; all are held until all are found. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
