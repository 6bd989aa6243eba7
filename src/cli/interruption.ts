import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Watches for Ctrl-C: the first aborts `signal`, so that the command ends in order; the second ends
 * the process at once with 130 (143 for SIGTERM).
 */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #onSignal = (name: NodeJS.Signals): void => {
    if (this.#controller.signal.aborted) process.exit(128 + constants.signals[name]);
    this.#controller.abort(name);
  };

  constructor() {
    for (const name of SIGNALS) process.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isRequested(): boolean {
    return this.#controller.signal.aborted;
  }

  close(): void {
    for (const name of SIGNALS) process.off(name, this.#onSignal);
  }
}
