import type { AddressInfo } from "node:net";
import { AppError, errorMessage } from "../../core/errors.ts";

export interface HostPort {
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
}

/** The host and port of an endpoint such as `tcp://127.0.0.1:7001`. Errors: `CONFIG_INVALID`. */
export function parseHostPort(
  endpoint: string,
  schemes: { readonly plain: string; readonly secure: string },
): HostPort {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const isSecure = url?.protocol === `${schemes.secure}:`;
  // A URL leaves out the port that is its scheme's own.
  const port = url?.port === "" ? DEFAULT_PORTS.get(url.protocol) : Number(url?.port);
  if (
    url === undefined ||
    port === undefined ||
    url.hostname === "" ||
    (!isSecure && url.protocol !== `${schemes.plain}:`)
  ) {
    throw new AppError(
      "CONFIG_INVALID",
      `the endpoint "${endpoint}" is none; give one such as ${schemes.plain}://127.0.0.1:7001`,
    );
  }
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port, isSecure };
}

const DEFAULT_PORTS: ReadonlyMap<string, number> = new Map([
  ["ws:", 80],
  ["wss:", 443],
]);

/** The endpoint with the port that the system chose. */
export function boundEndpoint(endpoint: string, address: AddressInfo | string | null): string {
  if (typeof address !== "object" || address === null) return endpoint;
  return endpoint.replace(/:0(?=\/|$)/, `:${address.port}`);
}

/** What `listen` failed with, as the error that says so. */
export function listenError(error: unknown, endpoint: string): AppError {
  if (error instanceof AppError) return error;
  const isInUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  return new AppError(
    isInUse ? "ADDRESS_IN_USE" : "LISTEN_FAILED",
    `cannot listen at ${endpoint}: ${errorMessage(error)}`,
    { cause: error, hint: "give the node another endpoint, or stop what listens there" },
  );
}
