import { randomBytes, timingSafeEqual } from "node:crypto";

const TOKEN_BYTES = 16;

/** What a node's process shows at its hello: another one for each process. */
export class NodeToken {
  #token = "";

  renew(): string {
    this.#token = randomBytes(TOKEN_BYTES).toString("hex");
    return this.#token;
  }

  isShownBy(given: string): boolean {
    const left = Buffer.from(given);
    const right = Buffer.from(this.#token);
    return left.length === right.length && timingSafeEqual(left, right);
  }
}
