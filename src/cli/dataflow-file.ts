import { open } from "node:fs/promises";
import { AppError, errorMessage } from "../core/errors.ts";
import { FILE_BYTES_MAX } from "../runtime/dataflow/file-text.ts";

/**
 * Reads a dataflow file's text, of which no more than shows that it is too large.
 *
 * Errors: `FILE_UNREADABLE`
 */
export async function readDataflowText(file: string): Promise<string> {
  const bytes = Buffer.alloc(FILE_BYTES_MAX + 1);
  let length = 0;
  try {
    const handle = await open(file);
    try {
      while (length < bytes.length) {
        const { bytesRead } = await handle.read(bytes, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const message = isMissing
      ? `there is no file ${file}`
      : `cannot read ${file}: ${errorMessage(error)}`;
    throw new AppError("FILE_UNREADABLE", message, { cause: error });
  }
  return bytes.toString("utf8", 0, length);
}
