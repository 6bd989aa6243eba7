/** The longest line of output that is kept; what is beyond is passed over and counted. */
export const LINE_BYTES_MAX = 1024 * 1024;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Cuts one stream of a process's output into lines of text.
 *
 * Shape:  a line has no line end; bytes that are no UTF-8 become U+FFFD, and a character that lies
 *         across two chunks stays whole.
 * Limits: a line holds `LINE_BYTES_MAX` bytes; the rest of a longer one is counted in `cutBytes`.
 */
export class LineSplitter {
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Of the line in hand, bytes beyond the limit. */
  #excess = 0;
  cutLines = 0;
  cutBytes = 0;

  /** True where a line has begun that has no end yet. */
  get isPartial(): boolean {
    return this.#bytes > 0;
  }

  /** The lines that end in `chunk`, which is not kept. */
  push(chunk: Buffer): readonly string[] {
    const lines: string[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start);
      if (end === -1) break;
      if (this.#bytes === 0 && end - start <= LINE_BYTES_MAX) {
        lines.push(textOf(chunk.subarray(start, end)));
      } else {
        this.#keep(chunk.subarray(start, end));
        lines.push(this.#take());
      }
      start = end + 1;
    }
    // A copy: the pipe's chunk is used again.
    if (start < chunk.length) this.#keep(Buffer.from(chunk.subarray(start)));
    return lines;
  }

  /**
   * The line in hand as it is, for a process that has paused in its midst. The bytes of a character
   * that is not whole yet stay for the next line, unless the stream has ended.
   */
  flush(isEnd: boolean): string | undefined {
    if (this.#bytes === 0) return undefined;
    if (isEnd || this.#excess > 0) return this.#take();
    const bytes = Buffer.concat(this.#parts, this.#bytes);
    const whole = bytes.length - unfinishedBytes(bytes);
    if (whole === 0) return undefined;
    this.#parts = whole === bytes.length ? [] : [bytes.subarray(whole)];
    this.#bytes = bytes.length - whole;
    return textOf(bytes.subarray(0, whole));
  }

  #keep(bytes: Buffer): void {
    const room = LINE_BYTES_MAX - this.#bytes;
    const kept = bytes.length <= room ? bytes : bytes.subarray(0, room);
    if (kept.length > 0) this.#parts.push(kept);
    this.#bytes += kept.length;
    this.#excess += bytes.length - kept.length;
  }

  #take(): string {
    let bytes = Buffer.concat(this.#parts, this.#bytes);
    if (this.#excess > 0) {
      const unfinished = unfinishedBytes(bytes);
      this.cutLines += 1;
      this.cutBytes += this.#excess + unfinished;
      bytes = bytes.subarray(0, bytes.length - unfinished);
    }
    this.#parts = [];
    this.#bytes = 0;
    this.#excess = 0;
    return textOf(bytes);
  }
}

function textOf(line: Buffer): string {
  const end = line.at(-1) === CARRIAGE_RETURN ? line.length - 1 : line.length;
  return line.toString("utf8", 0, end);
}

/** How many bytes at the end begin a UTF-8 character whose rest is missing: 0 to 3. */
function unfinishedBytes(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? back : 0;
  }
  return 0;
}
