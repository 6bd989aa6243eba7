import { AppError } from "../core/errors.ts";
import { parseDurationNs } from "../core/time.ts";
import { readOutput } from "./logs-flags.ts";

/** The flags of `dora canary`, as they were typed. */
export interface CanaryFlags {
  readonly endpoint: string;
  readonly api: string;
  readonly rate: string;
  readonly duration: string;
  readonly reportInterval: string;
  readonly output: string;
  readonly tokenFile?: string;
}

export interface CanaryOptions {
  /** The whole URL that records are sent to. */
  readonly logsUrl: URL;
  /** The service that answers queries. */
  readonly api: string;
  /** Records a second. */
  readonly rate: number;
  /** `Infinity` for ever. */
  readonly durationMs: number;
  readonly reportIntervalMs: number;
  readonly output: "text" | "json";
}

/** More than one connection can carry. */
const RATE_MAX = 100_000;
const REPORT_INTERVAL_MS_MIN = 100;
/** The longest that a timer takes. */
const REPORT_INTERVAL_MS_MAX = 2 ** 31 - 1;

/** Errors: `USAGE`. */
export function readCanaryFlags(flags: CanaryFlags): CanaryOptions {
  const rate = Number(flags.rate);
  if (!/^\d+$/.test(flags.rate) || rate < 1 || rate > RATE_MAX) {
    throw new AppError(
      "USAGE",
      `--rate must be a whole number from 1 to ${RATE_MAX} records a second, got "${flags.rate}"`,
    );
  }
  const reportIntervalMs = readDuration("--report-interval", flags.reportInterval);
  if (reportIntervalMs < REPORT_INTERVAL_MS_MIN || reportIntervalMs > REPORT_INTERVAL_MS_MAX) {
    throw new AppError(
      "USAGE",
      `--report-interval must be from 100ms to 24d, got "${flags.reportInterval}"`,
    );
  }
  return {
    logsUrl: readLogsUrl(flags.endpoint),
    api: flags.api,
    rate,
    durationMs:
      flags.duration === "forever" ? Infinity : readDuration("--duration", flags.duration),
    reportIntervalMs,
    output: readOutput(flags.output, ["text", "json"]),
  };
}

function readDuration(flag: string, text: string): number {
  const durationNs = parseDurationNs(text);
  if (durationNs !== undefined && durationNs > 0n) return Number(durationNs) / 1e6;
  throw new AppError("USAGE", `${flag} must be a length of time such as 10s or 5m, got "${text}"`);
}

/** As OTLP exporters do it: the signal's path is added to the endpoint's. */
function readLogsUrl(text: string): URL {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new AppError("USAGE", `cannot read the endpoint "${text}": give http://HOST:PORT`);
  }
  url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/logs`;
  return url;
}
