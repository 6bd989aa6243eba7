/**
 * `dora` commands as real child processes, and records for them to find.
 *
 * Example:
 *     await sendLogs(service.otlpHttp, [{ node: "camera", message: "late", severityNumber: 13 }]);
 *     const { stdout } = await runCli(["logs", "--url", service.api]);
 */
import { type ChildProcess, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliProcess {
  /** Resolves with standard output once it matches. Errors: where the command ends before. */
  waitFor(pattern: RegExp): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  readonly result: Promise<CliResult>;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const MAIN = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));

/** No setting of the machine that runs the tests may reach a command. */
const CLEAN_ENV: NodeJS.ProcessEnv = {
  PATH: process.env["PATH"],
  HOME: join(tmpdir(), "dora-no-home"),
  LANG: "C.UTF-8",
  NODE_COMPILE_CACHE: join(tmpdir(), "dora-test-compiled"),
};

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a command and leaves it running. */
export function startCli(args: readonly string[], options: CliOptions = {}): CliProcess {
  return start(process.execPath, [MAIN, ...args], options);
}

/** Runs a command to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return startCli(args, options).result;
}

/** Runs a line of a shell, in which `$DORA` is the command. */
export function runShell(script: string): Promise<CliResult> {
  const env = { DORA: `${process.execPath} ${MAIN}` };
  return start("bash", ["-o", "pipefail", "-c", script], { env }).result;
}

function start(program: string, args: readonly string[], options: CliOptions): CliProcess {
  const child = spawn(program, args, {
    env: { ...CLEAN_ENV, ...options.env },
    cwd: options.cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let stdout = "";
  let stderr = "";
  let notice = (): void => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    notice();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const result = new Promise<CliResult>((resolve) => {
    child.once("close", (code) => {
      running.delete(child);
      resolve({ code, stdout, stderr });
      notice();
    });
  });
  return {
    result,
    kill: (signal) => void child.kill(signal),
    async waitFor(pattern) {
      for (;;) {
        if (pattern.test(stdout)) return stdout;
        if (!running.has(child)) throw new Error(`it ended before ${pattern}: ${stdout}${stderr}`);
        await new Promise<void>((resolve) => (notice = resolve));
      }
    },
  };
}

/** One log record to be sent. */
export interface SentLog {
  readonly message: string;
  /** 9 (INFO) where it is left out. */
  readonly severityNumber?: number;
  /** The node's id. */
  readonly node?: string;
  readonly nodeName?: string;
  readonly dataflow?: string;
  /** ISO 8601. */
  readonly time?: string;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Sends log records as OTLP/HTTP JSON; they are on disk when this resolves. */
export async function sendLogs(otlpHttp: string, logs: readonly SentLog[]): Promise<void> {
  const resourceLogs = logs.map((log) => ({
    resource: {
      attributes: toAttributes({
        "dora.node.id": log.node,
        "dora.node.name": log.nodeName,
        "dora.dataflow.id": log.dataflow,
      }),
    },
    scopeLogs: [
      {
        logRecords: [
          {
            timeUnixNano: toUnixNano(log.time),
            severityNumber: log.severityNumber ?? 9,
            body: { stringValue: log.message },
            attributes: toAttributes(log.attributes ?? {}),
            traceId: log.traceId ?? "",
            spanId: log.spanId ?? "",
          },
        ],
      },
    ],
  }));
  await post(`${otlpHttp}/v1/logs`, { resourceLogs });
}

/** One span to be sent. */
export interface SentSpan {
  readonly node: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly start: string;
  readonly end: string;
  /** Makes it a failed one. */
  readonly error?: string;
}

/** Sends spans as OTLP/HTTP JSON; they are on disk when this resolves. */
export async function sendSpans(otlpHttp: string, spans: readonly SentSpan[]): Promise<void> {
  const resourceSpans = spans.map((span) => ({
    resource: { attributes: toAttributes({ "dora.node.id": span.node }) },
    scopeSpans: [
      {
        spans: [
          {
            traceId: span.traceId,
            spanId: span.spanId,
            parentSpanId: span.parentSpanId ?? "",
            name: span.name,
            kind: 1,
            startTimeUnixNano: toUnixNano(span.start),
            endTimeUnixNano: toUnixNano(span.end),
            status: span.error === undefined ? {} : { code: 2, message: span.error },
          },
        ],
      },
    ],
  }));
  await post(`${otlpHttp}/v1/traces`, { resourceSpans });
}

/** One data point of a gauge to be sent. */
export interface SentPoint {
  readonly node: string;
  readonly name: string;
  readonly value: number;
  readonly time: string;
}

/** Sends data points as OTLP/HTTP JSON; they are on disk when this resolves. */
export async function sendPoints(otlpHttp: string, points: readonly SentPoint[]): Promise<void> {
  const resourceMetrics = points.map((point) => {
    const dataPoints = [{ timeUnixNano: toUnixNano(point.time), asDouble: point.value }];
    return {
      resource: { attributes: toAttributes({ "dora.node.id": point.node }) },
      scopeMetrics: [{ metrics: [{ name: point.name, gauge: { dataPoints } }] }],
    };
  });
  await post(`${otlpHttp}/v1/metrics`, { resourceMetrics });
}

async function post(url: string, body: object): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok || text !== "{}") throw new Error(`${url}: ${response.status} ${text}`);
}

function toAttributes(values: Readonly<Record<string, string | undefined>>): object[] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, stringValue]) => ({ key, value: { stringValue } }));
}

/** Microseconds are kept: `Date` alone would cut them off. */
function toUnixNano(time: string | undefined): string {
  if (time === undefined) return "0";
  const [, seconds = "", fraction = ""] = /^(.+?)(?:\.(\d+))?Z$/.exec(time) ?? [];
  return `${Date.parse(`${seconds}Z`) / 1000}${fraction.padEnd(9, "0")}`;
}
