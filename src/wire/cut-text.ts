const CUT_MARK = "...";

/** The text, or where its UTF-8 is longer than `bytesMax`, as many characters as fit and "...". */
export function cutText(text: string, bytesMax: number): string {
  // A UTF-16 unit takes at most 3 bytes, so most texts need no encoding to be measured.
  if (text.length * 3 <= bytesMax) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  let end = bytesMax - CUT_MARK.length;
  while (end > 0 && isContinuation(bytes[end])) end -= 1;
  return bytes.toString("utf8", 0, end) + CUT_MARK;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
