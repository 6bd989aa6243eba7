/** Lines that are kept of what a process wrote last. */
export const TAIL_LINES_MAX = 20;
const LINE_LENGTH_MAX = 2000;

/** The last lines of a stream. */
export class OutputTail {
  readonly #linesMax: number;
  readonly #decoder = new TextDecoder();
  #lines: string[] = [];
  #partial = "";

  constructor(linesMax: number = TAIL_LINES_MAX) {
    this.#linesMax = linesMax;
  }

  add(chunk: Uint8Array): void {
    const parts = (this.#partial + this.#decoder.decode(chunk, { stream: true })).split(/\r?\n/);
    this.#partial = (parts.pop() ?? "").slice(0, LINE_LENGTH_MAX);
    if (parts.length === 0) return;
    const lines = parts.slice(-this.#linesMax).map((line) => line.slice(0, LINE_LENGTH_MAX));
    this.#lines = [...this.#lines, ...lines].slice(-this.#linesMax);
  }

  /** Oldest first; a last line without an end is one. */
  lines(): readonly string[] {
    const all = this.#partial === "" ? this.#lines : [...this.#lines, this.#partial];
    return all.slice(-this.#linesMax);
  }
}
