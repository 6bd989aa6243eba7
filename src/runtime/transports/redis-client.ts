import { createClient, RESP_TYPES } from "@redis/client";
import { AppError, errorMessage } from "../../core/errors.ts";
import { Backoff } from "./backoff.ts";

const CONNECT_TIMEOUT_MS = 5_000;

export interface RedisClientOptions {
  /** `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or `rediss://` for TLS. */
  readonly endpoint: string;
  /** How long the first connection may take. */
  readonly timeoutMs: number;
  /** Told of the loss and return of the connection, after the first one. */
  readonly onConnection: (isConnected: boolean, reason: string) => void;
  /** Of the client's connection, beside what the endpoint says. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export type RedisClient = Awaited<ReturnType<typeof connectRedis>>;

/**
 * A client whose commands fail at once while there is no connection, and which tries to get it back for ever.
 * Credentials are those of the endpoint, or of `DORA_REDIS_USERNAME` and `DORA_REDIS_PASSWORD`.
 *
 * Errors: `LINK_UNREACHABLE` where the first connection fails, `LINK_REFUSED` for wrong credentials,
 *         `CONFIG_INVALID`.
 */
export async function connectRedis(options: RedisClientOptions) {
  const { endpoint, environment } = options;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !["redis:", "rediss:"].includes(url.protocol)) {
    throw new AppError(
      "CONFIG_INVALID",
      `the endpoint "${withoutPassword(endpoint)}" is none; give one such as redis://127.0.0.1:6379/0`,
    );
  }
  const [username, password] = [
    environment["DORA_REDIS_USERNAME"],
    environment["DORA_REDIS_PASSWORD"],
  ];
  const backoff = new Backoff();
  let isFirst = true;
  let lastReason = "it did not answer";
  const client = createClient({
    url: endpoint,
    // What the URL says comes before what is given here.
    ...(username === undefined || url.username !== "" ? {} : { username }),
    ...(password === undefined || url.password !== "" ? {} : { password }),
    RESP: 2,
    disableOfflineQueue: true,
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      // The first connection is tried again by us, who know how long.
      reconnectStrategy: () => (isFirst ? false : backoff.nextDelayMs()),
    },
  }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  let isConnected = false;
  client.on("error", (error: unknown) => {
    lastReason = errorMessage(error);
    if (isConnected) options.onConnection(false, lastReason);
    isConnected = false;
  });
  client.on("ready", () => {
    backoff.reset();
    isConnected = true;
    if (!isFirst) options.onConnection(true, "");
  });
  const endMs = performance.now() + options.timeoutMs;
  for (;;) {
    try {
      await client.connect();
      isFirst = false;
      return client;
    } catch (error) {
      const reason = errorMessage(error);
      const place = withoutPassword(endpoint);
      if (/WRONGPASS|NOAUTH|NOPERM/.test(reason)) {
        throw new AppError("LINK_REFUSED", `${place} refuses us: ${reason}`, { cause: error });
      }
      const delayMs = backoff.nextDelayMs();
      if (performance.now() + delayMs > endMs) {
        throw new AppError("LINK_UNREACHABLE", `${place} cannot be reached: ${reason}`, {
          cause: error,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}

/** An endpoint as it may be shown. */
export function withoutPassword(endpoint: string): string {
  return endpoint.replace(/\/\/[^@/]*@/, "//");
}
