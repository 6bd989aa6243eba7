import { createHash, timingSafeEqual } from "node:crypto";
import { AppError } from "../../core/errors.ts";
import { FramedInboxLink } from "./inbox-link.ts";
import { MemoryPool } from "./memory-pool.ts";
import type { LinkAcceptance, LinkReceiver } from "./transport.ts";

/** The links that may arrive at an inbox to which senders connect. */
export class LinkRegistry {
  readonly #links = new Map<string, FramedInboxLink>();
  readonly #pool = new MemoryPool();
  readonly #endpoint: string;

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  /** Errors: `CONFIG_INVALID` where the topic is taken. */
  accept(link: LinkAcceptance, receiver: LinkReceiver): FramedInboxLink {
    if (this.#links.has(link.topic)) {
      throw new AppError("CONFIG_INVALID", `${this.#endpoint} has a link ${link.topic} already`);
    }
    const forget = (): void => {
      if (this.#links.get(link.topic) === accepted) this.#links.delete(link.topic);
    };
    const accepted = new FramedInboxLink(link, receiver, { pool: this.#pool, forget });
    this.#links.set(link.topic, accepted);
    return accepted;
  }

  /** The link, or undefined: a stranger does not learn whether topic or token was wrong. */
  find(topic: string, token: string): FramedInboxLink | undefined {
    const link = this.#links.get(topic);
    return link !== undefined && isSameSecret(link.token, token) ? link : undefined;
  }

  clear(): void {
    this.#links.clear();
  }
}

/** Compares in a time that says nothing about where two texts differ. */
function isSameSecret(left: string, right: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}
