import path from "node:path";
import { FILE_HEADER_BYTES, readFileHeader } from "./file-header.ts";
import { journalFileName, parseFileName } from "./file-name.ts";
import type { Storage } from "./storage.ts";

/**
 * The lowest number that a frame of the journal in this folder may have; every record below it is
 * in segments, because only then its file is removed. Infinity where there is no frame at all, 0
 * where the oldest file does not say.
 */
export async function oldestJournalSeq(storage: Storage, directory: string): Promise<number> {
  // A folder that is gone holds no frame; whether that is an error, `Journal.open` says.
  const files = await storage.list(directory).catch(() => []);
  const fileNumbers = files
    .map(({ name }) => parseFileName(name))
    .flatMap((parsed) => (parsed.kind === "journal" ? [parsed.fileNumber] : []))
    .toSorted((left, right) => left - right);
  for (const fileNumber of fileNumbers) {
    const file = path.join(directory, journalFileName(fileNumber));
    const reading = readFileHeader(await storage.read(file, FILE_HEADER_BYTES));
    // A file that ends before its header does holds no frame.
    if (reading.state === "short") continue;
    return reading.state === "ok" ? reading.header.nextSeq : 0;
  }
  return Number.POSITIVE_INFINITY;
}
