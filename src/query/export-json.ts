const NEWLINE = 0x0a;

/**
 * One JSON array, one entry a line. Entries are not parsed: a line of JSON holds no line break, so
 * every one of them parts two entries.
 */
export async function* exportJson(
  lines: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  let separator = "[\n";
  for await (const chunk of lines) {
    if (chunk.length === 0) continue;
    // Latin-1 maps each byte to a character and back, so UTF-8 survives it.
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const end = bytes.at(-1) === NEWLINE ? bytes.length - 1 : bytes.length;
    const text = bytes.toString("latin1", 0, end).replaceAll("\n", ",\n");
    yield Buffer.from(separator + text, "latin1");
    separator = ",\n";
  }
  yield Buffer.from(separator === "[\n" ? "[]\n" : "\n]\n");
}
