import type { Output, Piece } from "./output.ts";

/** A line of a view that changes. */
export interface ViewLine {
  readonly pieces: readonly Piece[];
  /** It will not change any more. */
  readonly isFinal: boolean;
}

/**
 * Shows lines of which some still change: those at the start that are final are written for good, the
 * rest is drawn anew below them on a terminal, and waits elsewhere. So a pipe gets the same words.
 */
export class LiveLines {
  readonly #output: Output;
  #writtenCount = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  async show(lines: readonly ViewLine[]): Promise<void> {
    const open = lines.findIndex(({ isFinal }) => !isFinal);
    const finalCount = open === -1 ? lines.length : open;
    const ready = lines.slice(this.#writtenCount, finalCount).map(({ pieces }) => pieces);
    const rest = lines.slice(finalCount).map(({ pieces }) => pieces);
    this.#writtenCount = Math.max(this.#writtenCount, finalCount);
    await this.#output.redraw(ready, rest);
  }
}
