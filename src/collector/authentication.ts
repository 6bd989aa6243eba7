import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { AppError, errorMessage } from "../core/errors.ts";

/** Tokens in one file; every request is compared with all of them. */
const TOKENS_MAX = 1000;

/** `name: token`; a token alone may hold a colon, but nothing blank after it. */
const NAMED_TOKEN = /^([\w.@-]+):\s+(\S+)$/;

interface Token {
  readonly principal: string;
  readonly sha256: Buffer;
}

/**
 * Knows the bearer tokens of a service (SEC-002).
 *
 * The file has a token a line, `#` starts a comment line, `name: token` gives it a name. A token
 * without one is called by the start of its hash, so that the same token is the same principal
 * wherever it stands in the file: the principal is part of a request's retry key.
 *
 * Cost: one SHA-256 and one comparison a token; the time does not tell which of them is near.
 */
export class TokenAuthenticator {
  readonly #tokens: readonly Token[];

  constructor(tokens: readonly { readonly name?: string; readonly token: string }[]) {
    this.#tokens = tokens.map(({ name, token }) => {
      const sha256 = hash(token);
      return { principal: name ?? `token-${sha256.toString("hex", 0, 4)}`, sha256 };
    });
  }

  /** Reads the tokens of a file. Errors: `CONFIG_INVALID` naming the file and the line. */
  static async load(path: string): Promise<TokenAuthenticator> {
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      const message = `cannot read the token file ${path}: ${errorMessage(error)}`;
      throw new AppError("CONFIG_INVALID", message, { cause: error });
    }
    return new TokenAuthenticator(parseTokens(text, path));
  }

  /** The principal that an `Authorization` header stands for, or undefined. */
  authenticate(authorization: string | undefined): string | undefined {
    const match = /^bearer +(\S+) *$/i.exec(authorization ?? "");
    const given = hash(match?.[1] ?? "");
    let principal: string | undefined;
    for (const token of this.#tokens) {
      if (timingSafeEqual(token.sha256, given)) principal = token.principal;
    }
    return match === null ? undefined : principal;
  }
}

function parseTokens(text: string, path: string): { name?: string; token: string }[] {
  const tokens = text.split(/\r?\n/).flatMap((line, index) => {
    const content = line.trim();
    if (content === "" || content.startsWith("#")) return [];
    const [, name, named] = NAMED_TOKEN.exec(content) ?? [];
    if (name !== undefined && named !== undefined) return [{ name, token: named }];
    if (!/\s/.test(content)) return [{ token: content }];
    throw new AppError(
      "CONFIG_INVALID",
      `${path}:${index + 1}: a token has no blanks; write "TOKEN" or "name: TOKEN"`,
    );
  });
  if (tokens.length === 0 || tokens.length > TOKENS_MAX) {
    const found = `${path} holds ${tokens.length} tokens`;
    throw new AppError("CONFIG_INVALID", `${found}; give 1 to ${TOKENS_MAX}, one a line`);
  }
  return tokens;
}

function hash(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
