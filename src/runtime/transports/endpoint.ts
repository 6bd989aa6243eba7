import { AppError, errorMessage } from "../../core/errors.ts";

/** The host and port of an endpoint such as `tcp://127.0.0.1:7001`. Errors: `CONFIG_INVALID`. */
export function parseHostPort(
  endpoint: string,
  scheme: string,
): { readonly host: string; readonly port: number } {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (
    url === undefined ||
    url.protocol !== `${scheme}:` ||
    url.port === "" ||
    url.hostname === ""
  ) {
    throw new AppError(
      "CONFIG_INVALID",
      `the endpoint "${endpoint}" is none; give one such as ${scheme}://127.0.0.1:7001`,
    );
  }
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port) };
}

/** What `listen` failed with, as the error that says so. */
export function listenError(error: unknown, endpoint: string): AppError {
  const isInUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  return new AppError(
    isInUse ? "ADDRESS_IN_USE" : "LISTEN_FAILED",
    `cannot listen at ${endpoint}: ${errorMessage(error)}`,
    { cause: error, hint: "give the node another endpoint, or stop what listens there" },
  );
}
