import { readFile } from "node:fs/promises";
import { TokenAuthenticator } from "../collector/authentication.ts";
import type { ListenerConfig, TlsFiles, TokenSource } from "../collector/config.ts";
import type { ReceiverTls } from "../collector/otlp-receiver.ts";
import { AppError, errorMessage } from "../core/errors.ts";

/** A listener with its files read. */
export interface SecureListener {
  readonly host: string;
  readonly port: number;
  readonly tls?: ReceiverTls;
  readonly authenticator?: TokenAuthenticator;
  readonly requestBytesMax: number;
}

/**
 * Reads certificates and tokens, each token file once.
 *
 * Errors: `CONFIG_INVALID` naming the file that cannot be read.
 */
export class ListenerFiles {
  readonly #authenticators = new Map<string, TokenAuthenticator>();

  async load(listener: ListenerConfig): Promise<SecureListener> {
    const { host, port, requestBytesMax, tls, token } = listener;
    return {
      host,
      port,
      requestBytesMax,
      ...(tls === undefined ? {} : { tls: await readTls(tls) }),
      ...(token === undefined ? {} : { authenticator: await this.#authenticator(token) }),
    };
  }

  async #authenticator(source: TokenSource): Promise<TokenAuthenticator> {
    if (source.kind === "value") return new TokenAuthenticator([{ token: source.token }]);
    const known = this.#authenticators.get(source.path);
    const authenticator = known ?? (await TokenAuthenticator.load(source.path));
    this.#authenticators.set(source.path, authenticator);
    return authenticator;
  }
}

async function readTls({ certFile, keyFile }: TlsFiles): Promise<ReceiverTls> {
  const read = (what: string, path: string) =>
    readFile(path).catch((error: unknown) => {
      const message = `cannot read the TLS ${what} ${path}: ${errorMessage(error)}`;
      throw new AppError("CONFIG_INVALID", message, { cause: error });
    });
  return { cert: await read("certificate", certFile), key: await read("key", keyFile) };
}
