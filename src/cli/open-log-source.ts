/**
 * Where the answers of `dora logs` and `dora trace` come from.
 *
 *     --url, DORA_URL              that service
 *     --data-dir                   that folder, or the service that runs on it
 *     neither                      the service at its usual address; where nothing listens there,
 *                                  the usual folder in the same way
 */
import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { AppError, errorMessage } from "../core/errors.ts";
import type { LogSource } from "./log-source.ts";
import { ServiceSource } from "./service-source.ts";

const DEFAULT_URL = "http://127.0.0.1:6014";

export interface LogSourceOptions {
  readonly url?: string;
  readonly dataDir?: string;
  readonly tokenFile?: string;
  readonly environment: { readonly [name: string]: string | undefined };
  /** Told which source answers, where that is not what the flags say. */
  readonly onFallback: (message: string) => void;
}

/** Finds the source and opens it. Errors: `USAGE`, `SERVICE_UNREACHABLE`, `STORE_IN_USE`, and more. */
export async function openLogSource(
  options: LogSourceOptions,
  signal: AbortSignal,
): Promise<LogSource> {
  const { environment } = options;
  const usualUrl = usualUrlOf(environment);
  if (options.url !== undefined && options.dataDir !== undefined) {
    throw new AppError("USAGE", "--url and --data-dir exclude each other: give one of them");
  }
  const token = await findToken(options);
  if (options.dataDir !== undefined) return openFolder(options, options.dataDir, token);
  const url = options.url ?? (environment["DORA_URL"] || undefined);
  if (url !== undefined) return new ServiceSource({ url, token });
  const usual = new ServiceSource({ url: usualUrl, token });
  if (await usual.isListening(signal)) return usual;
  const folder = environment["DORA_DATA_DIR"] || (await defaultFolder(environment));
  if (!(await isDirectory(folder))) {
    throw new AppError(
      "SERVICE_UNREACHABLE",
      `no service listens at ${usualUrl}, and there is no data folder ${folder}`,
    );
  }
  options.onFallback(`no service listens at ${usualUrl}: reading the folder ${folder}`);
  return openFolder(options, folder, token);
}

/** Where `dora serve` listens with the same environment. */
function usualUrlOf({ DORA_API: address }: LogSourceOptions["environment"]): string {
  return address === undefined || address === "" ? DEFAULT_URL : `http://${address}`;
}

/** Loaded on use: the configuration's schema costs more to load than a query to a service. */
async function defaultFolder(environment: LogSourceOptions["environment"]): Promise<string> {
  const { defaultDataDirectory } = await import("../collector/config-environment.ts");
  return defaultDataDirectory(environment);
}

/** The folder itself where nobody has it open, else the service that does. */
async function openFolder(
  options: LogSourceOptions,
  folder: string,
  token: string | undefined,
): Promise<LogSource> {
  const directory = resolve(folder);
  if (!(await isDirectory(directory))) {
    throw new AppError("NOT_FOUND", `there is no folder ${directory}`, {
      hint: "give the folder that `dora serve` names in its first line",
    });
  }
  const { FolderSource } = await import("./folder-source.ts");
  try {
    return await FolderSource.open(directory);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "STORE_IN_USE") throw error;
    const url = await readServiceUrl(directory);
    if (url === undefined) throw error;
    options.onFallback(`a service has ${directory} open: asking it at ${url}`);
    return new ServiceSource({ url, token });
  }
}

/** The address that a running service left in its folder, or undefined. */
async function readServiceUrl(directory: string): Promise<string | undefined> {
  try {
    const found: unknown = JSON.parse(await readFile(join(directory, "service.json"), "utf8"));
    if (typeof found !== "object" || found === null || !("api" in found)) return undefined;
    return typeof found.api === "string" ? found.api : undefined;
  } catch {
    // Not there yet, or half written: the caller then says that the store is in use.
    return undefined;
  }
}

/** The token that `--token-file` or `DORA_TOKEN_FILE` gives; undefined without them. Errors: `USAGE`. */
export async function findToken({
  tokenFile,
  environment,
}: Pick<LogSourceOptions, "tokenFile" | "environment">): Promise<string | undefined> {
  const path = tokenFile ?? (environment["DORA_TOKEN_FILE"] || undefined);
  return path === undefined ? undefined : readToken(path);
}

/** The first token of a token file: a token a line, perhaps with a name, `#` starts a comment. */
async function readToken(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const message = `cannot read the token file ${path}: ${errorMessage(error)}`;
    throw new AppError("USAGE", message, { cause: error });
  }
  for (const line of text.split(/\r?\n/)) {
    const found = /^\s*(?:[\w.@-]+:\s+)?([^\s#]\S*)\s*$/.exec(line)?.[1];
    if (found !== undefined) return found;
  }
  throw new AppError("USAGE", `the token file ${path} holds no token`);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
