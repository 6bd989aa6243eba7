/** Runs the programs of scripts/parts: to their end, or in the background. */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

const RUN_TIMEOUT_MS = 120_000;
const READY_TIMEOUT_MS = 20_000;
const CLOSE_TIMEOUT_MS = 20_000;

/** Runs a program to its end and gives all it wrote. Errors: any exit code but 0. */
export function runProgram(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: RUN_TIMEOUT_MS,
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${program} ${args.join(" ")} ended (${code ?? signal}):\n${output}`));
    });
  });
}

export interface CollectorProcess {
  /** `HOST:PORT` */
  readonly otlpGrpc: string;
  readonly otlpHttp: string;
  /** What its file exporter writes: one OTLP request in JSON a line. */
  readonly outputFile: string;
  /** Stops it, having sent what it holds; returns all it logged. */
  close(): Promise<string>;
}

/** Starts the Collector between its own OTLP receiver and, at once, `exporter` and a file. Its files
 * are in `directory`, which is the caller's. */
export async function startCollector(
  program: string,
  directory: string,
  exporter: { readonly name: string; readonly config: object },
): Promise<CollectorProcess> {
  mkdirSync(directory, { recursive: true });
  const [otlpGrpc, otlpHttp] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const outputFile = join(directory, "output.jsonl");
  const configFile = join(directory, "config.yaml");
  const pipeline = {
    receivers: ["otlp"],
    processors: ["batch"],
    exporters: [exporter.name, "file"],
  };
  const config = {
    receivers: {
      otlp: { protocols: { grpc: { endpoint: otlpGrpc }, http: { endpoint: otlpHttp } } },
    },
    processors: { batch: { timeout: "100ms" } },
    exporters: { [exporter.name]: exporter.config, file: { path: outputFile } },
    service: {
      telemetry: { metrics: { level: "none" } },
      pipelines: { logs: pipeline, traces: pipeline, metrics: pipeline },
    },
  };
  // JSON is YAML.
  writeFileSync(configFile, JSON.stringify(config));
  const child = spawn(program, ["--config", configFile], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  const closed = new Promise<void>((resolve) => {
    child.once("error", (error) => {
      log += error.message;
      resolve();
    });
    child.once("close", () => resolve());
  });
  const ready = new Promise<true>((resolve) => {
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      if (log.includes("Everything is ready")) resolve(true);
    });
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), READY_TIMEOUT_MS);
  const isReady = await Promise.race([ready, closed]);
  clearTimeout(timer);
  if (isReady !== true) throw new Error(`the Collector did not start:\n${log}`);
  const close = async (): Promise<string> => {
    child.kill("SIGTERM");
    const killTimer = setTimeout(() => child.kill("SIGKILL"), CLOSE_TIMEOUT_MS);
    await closed;
    clearTimeout(killTimer);
    return log;
  };
  return { otlpGrpc, otlpHttp, outputFile, close };
}

/** A port that was free a moment ago: the Collector does not say which one it took. */
export function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
