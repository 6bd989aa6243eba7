/** What the demo finds out of the machine. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

/** Ports of this machine that nobody listens at now. */
export async function findFreePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

/** Whether `python3` runs, and is 3.8 or later. */
export function hasPython(): boolean {
  const program = "import sys; sys.exit(sys.version_info < (3, 8))";
  return spawnSync("python3", ["-c", program], { stdio: "ignore" }).status === 0;
}
