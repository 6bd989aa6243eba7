/** An Elasticsearch server of our own, on loopback, in a folder of its own, without security. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, chownSync, cpSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export interface ElasticsearchServer {
  readonly url: string;
  /** Of the server itself, which a launcher starts. */
  readonly pid: number;
  readonly dataDirectory: string;
  /** Safe to call twice. */
  close(): Promise<void>;
}

const START_TIMEOUT_MS = 120_000;
const CLOSE_TIMEOUT_MS = 30_000;
const POLL_MS = 200;
const JAVA_OPTIONS = "-Xms2g -Xmx2g";
/** Elasticsearch refuses to run as root, so there it runs as the user that owns nothing. */
const NOBODY = 65_534;

/** Errors: a server that ended, or that does not answer in time. */
export async function startElasticsearch(
  home: string,
  directory: string,
): Promise<ElasticsearchServer> {
  const port = await findFreePort();
  const dataDirectory = join(directory, "data");
  const config = join(directory, "config");
  for (const name of ["data", "logs", "tmp"]) mkdirSync(join(directory, name));
  cpSync(join(home, "config"), config, { recursive: true });
  writeFileSync(join(config, "elasticsearch.yml"), configuration(directory, port));
  const isRoot = process.getuid?.() === 0;
  if (isRoot) giveAway(directory);
  const pidFile = join(directory, "server.pid");
  const child = spawn(join(home, "bin", "elasticsearch"), ["-p", pidFile], {
    cwd: directory,
    stdio: "ignore",
    env: {
      ...process.env,
      ES_PATH_CONF: config,
      ES_TMPDIR: join(directory, "tmp"),
      ES_JAVA_OPTS: process.env["ES_JAVA_OPTS"] ?? JAVA_OPTIONS,
      HOME: directory,
    },
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const url = `http://127.0.0.1:${port}`;
  await waitUntilUp(url, child, join(directory, "logs"));
  return {
    url,
    pid: Number(readFileSync(pidFile, "utf8")),
    dataDirectory,
    close: async () => {
      process.removeListener("exit", kill);
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const timer = setTimeout(kill, CLOSE_TIMEOUT_MS);
      await once(child, "exit");
      clearTimeout(timer);
    },
  };
}

function configuration(directory: string, port: number): string {
  return [
    "cluster.name: compare",
    "discovery.type: single-node",
    "network.host: 127.0.0.1",
    `http.port: ${port}`,
    `path.data: ${join(directory, "data")}`,
    `path.logs: ${join(directory, "logs")}`,
    "xpack.security.enabled: false",
    "cluster.routing.allocation.disk.threshold_enabled: false",
    "",
  ].join("\n");
}

function giveAway(directory: string): void {
  chmodSync(dirname(directory), 0o711);
  chownSync(directory, NOBODY, NOBODY);
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    chownSync(join(directory, name), NOBODY, NOBODY);
  }
}

async function waitUntilUp(url: string, child: ChildProcess, logs: string): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const isUp = await fetch(`${url}/_cluster/health?wait_for_status=yellow&timeout=1s`).then(
      (response) => response.ok,
      () => false,
    );
    if (isUp) return;
    if (child.exitCode !== null || performance.now() > deadlineMs) {
      child.kill("SIGKILL");
      throw new Error(`Elasticsearch did not start (${child.exitCode}): see ${logs}`);
    }
    await delay(POLL_MS);
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a server has a port");
  return address.port;
}
