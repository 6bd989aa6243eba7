import { randomUUID } from "node:crypto";
import { Socket } from "node:net";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { AppError, errorMessage } from "../../core/errors.ts";
import { Backoff } from "./backoff.ts";

const CONNECT_TIMEOUT_MS = 5_000;

/** How long the broker keeps for a receiver what it missed. */
const SESSION_SECONDS = 300;

/** Reason codes of MQTT 5: bad user name or password, not authorized, banned. */
const REFUSED_CODES: ReadonlySet<unknown> = new Set([134, 135, 138]);

export interface MqttClientOptions {
  /** `mqtt://USER:PASSWORD@HOST:PORT`, or `mqtts://` for TLS. */
  readonly endpoint: string;
  /** How long the first connection may take. */
  readonly timeoutMs: number;
  /** Whether the broker keeps the client's messages while it is away for a short time. */
  readonly hasSession: boolean;
  readonly tls: { readonly cert?: string; readonly key?: string; readonly ca?: string };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told of the loss and return of the connection, after the first one. */
  readonly onConnection: (isConnected: boolean, reason: string) => void;
}

/**
 * A client of MQTT 5 that tries for ever to get its connection back, and sends again what was not confirmed.
 * Credentials are those of the endpoint, or of `DORA_MQTT_USERNAME` and `DORA_MQTT_PASSWORD`.
 *
 * Errors: `LINK_UNREACHABLE` where the first connection fails, `LINK_REFUSED` for wrong credentials,
 *         `CONFIG_INVALID`.
 */
export async function connectMqtt(options: MqttClientOptions): Promise<MqttClient> {
  const { endpoint } = options;
  const place = endpoint.replace(/\/\/[^@/]*@/, "//");
  if (!URL.canParse(endpoint) || !/^mqtts?:\/\/./.test(endpoint)) {
    throw new AppError(
      "CONFIG_INVALID",
      `the endpoint "${place}" is none; give one such as mqtt://127.0.0.1:1883`,
    );
  }
  const settings = settingsOf(options);
  const backoff = new Backoff();
  const endMs = performance.now() + options.timeoutMs;
  for (;;) {
    try {
      const client = await connectAsync(endpoint, settings, false);
      watch(client, options);
      return client;
    } catch (error) {
      const reason = errorMessage(error);
      if (error instanceof Error && "code" in error && REFUSED_CODES.has(error.code)) {
        throw new AppError("LINK_REFUSED", `${place} refuses us: ${reason}`, { cause: error });
      }
      const delayMs = backoff.nextDelayMs();
      if (performance.now() + delayMs > endMs) {
        const message = `${place} cannot be reached: ${reason}`;
        throw new AppError("LINK_UNREACHABLE", message, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}

function settingsOf(options: MqttClientOptions): IClientOptions {
  const { environment, endpoint, hasSession } = options;
  const [username, password] = [
    environment["DORA_MQTT_USERNAME"],
    environment["DORA_MQTT_PASSWORD"],
  ];
  const isNamed = username !== undefined && new URL(endpoint).username === "";
  return {
    ...options.tls,
    ...(isNamed ? { username, password: password ?? "" } : {}),
    protocolVersion: 5,
    clientId: `dora-${randomUUID()}`,
    clean: !hasSession,
    properties: hasSession ? { sessionExpiryInterval: SESSION_SECONDS } : {},
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A paused receiver does not read its pings' answers: TCP watches the connection instead.
    keepalive: 0,
    manualConnect: false,
    reconnectPeriod: 10,
  };
}

function watch(client: MqttClient, options: MqttClientOptions): void {
  const backoff = new Backoff();
  let reason = "the connection was closed";
  let isConnected = true;
  const watchSocket = (): void => {
    const { stream } = client;
    if (stream instanceof Socket) stream.setKeepAlive(true, 10_000);
  };
  watchSocket();
  client.on("error", (error) => (reason = error.message));
  client.on("close", () => {
    client.options.reconnectPeriod = backoff.nextDelayMs();
    if (isConnected) options.onConnection(false, reason);
    isConnected = false;
  });
  client.on("connect", () => {
    watchSocket();
    backoff.reset();
    isConnected = true;
    options.onConnection(true, "");
  });
}
