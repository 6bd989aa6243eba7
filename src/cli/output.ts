import { once } from "node:events";
import type { Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { AppError } from "../core/errors.ts";
import type { Style, TerminalLook } from "./terminal-look.ts";
import { terminalLook } from "./terminal-look.ts";
import { cleanLine, cleanText, displayWidth } from "./terminal-text.ts";

/** A part of a line: plain text, or text with a style. Never with escape sequences of its own. */
export type Piece = string | { readonly text: string; readonly style: Style };

type OutputStream = Writable & {
  readonly isTTY?: boolean;
  readonly rows?: number;
  readonly columns?: number;
};

/**
 * The one way by which answers reach the user's terminal or pipe: text is cleaned here and nowhere
 * else (SEC-009), and a reader that went away (`| head`) is no error.
 *
 * Concurrency: one writer at a time; each write resolves once the stream takes more.
 */
export class Output {
  readonly look: TerminalLook;
  readonly #stream: OutputStream;
  readonly #closed = new AbortController();
  /** Lines that the next redraw takes away. */
  #drawnLines = 0;
  /** A document's chunks may end within a character. */
  readonly #decoder = new StringDecoder("utf8");
  #failure: AppError | undefined;

  constructor(stream: OutputStream, environment: NodeJS.ProcessEnv = process.env) {
    this.#stream = stream;
    this.look = terminalLook(stream, environment);
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") {
        const message = `cannot write the output: ${error.message}`;
        this.#failure ??= new AppError("OUTPUT_FAILED", message, { cause: error });
      }
      this.#closed.abort();
    });
  }

  /** Aborts once nobody reads any more: then there is no use in going on. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Why no more could be written, save that the reader went away, which is none of our business. */
  get failure(): AppError | undefined {
    return this.#failure;
  }

  /** Writes lines of which each part is cleaned to stay on its line. */
  async writeLines(lines: Iterable<readonly Piece[]>): Promise<void> {
    let text = "";
    for (const pieces of lines) text += `${this.#paintLine(pieces)}\n`;
    await this.#write(text);
  }

  async writeLine(...pieces: readonly Piece[]): Promise<void> {
    await this.writeLines([pieces]);
  }

  /** Writes a document (JSON, CSV, YAML): cleaned on a terminal, byte for byte into a pipe. */
  async writeDocument(bytes: Uint8Array): Promise<void> {
    if (!this.look.isTerminal) return this.#write(bytes);
    await this.#write(cleanText(this.#decoder.write(bytes)));
  }

  /** Rewrites the last line of a terminal; nothing elsewhere. "" takes the line away. */
  async writeStatus(text: string): Promise<void> {
    if (!this.look.isTerminal) return;
    await this.#write(`\r\u001b[2K${this.look.paint(cleanLine(text), "dim")}`);
  }

  /**
   * Writes `lines` for good, in the place of what was drawn before, and draws `rest` below them, as
   * much of it as the terminal shows. Elsewhere than on a terminal nothing is drawn.
   */
  async redraw(
    lines: readonly (readonly Piece[])[],
    rest: readonly (readonly Piece[])[],
  ): Promise<void> {
    if (!this.look.isTerminal || this.look.isDumb) return this.writeLines(lines);
    const { rows = 24, columns = 80 } = this.#stream;
    const drawn = rest.slice(0, Math.max(0, rows - 2));
    // The cursor stands below what was drawn; a line that was cut does not wrap.
    let text = this.#drawnLines === 0 ? "" : `\u001b[${this.#drawnLines}A\r\u001b[0J`;
    for (const pieces of lines) text += `${this.#paintLine(pieces)}\n`;
    for (const pieces of drawn) text += `${this.#paintLine(cutPieces(pieces, columns - 1))}\n`;
    this.#drawnLines = drawn.length;
    await this.#write(text);
  }

  #paintLine(pieces: readonly Piece[]): string {
    let line = "";
    for (const piece of pieces) {
      if (typeof piece === "string") line += cleanLine(piece);
      else line += this.look.paint(cleanLine(piece.text), piece.style);
    }
    return line;
  }

  async #write(chunk: string | Uint8Array): Promise<void> {
    if (chunk.length === 0 || this.#closed.signal.aborted) return;
    if (this.#stream.write(chunk)) return;
    await once(this.#stream, "drain", { signal: this.#closed.signal }).catch((error: unknown) => {
      if (!this.#closed.signal.aborted) throw error;
    });
  }
}

/** As much of a line as fits so many cells. */
function cutPieces(pieces: readonly Piece[], cells: number): readonly Piece[] {
  let left = cells;
  return pieces.map((piece) => {
    const text = cleanLine(typeof piece === "string" ? piece : piece.text);
    let kept = "";
    for (const character of text) {
      left -= displayWidth(character);
      if (left < 0) break;
      kept += character;
    }
    return typeof piece === "string" ? kept : { ...piece, text: kept };
  });
}
