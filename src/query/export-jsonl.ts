/** JSON Lines as they come: one entry a line. */
export async function* exportJsonl(
  lines: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of lines) if (chunk.length > 0) yield chunk;
}
