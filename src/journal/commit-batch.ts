import type { Frame } from "./frame.ts";
import { frameSeqCount } from "./frame.ts";
import { encodeFrameHeader, frameBytes } from "./frame-codec.ts";
import type { RetryKeyList } from "./keys-file.ts";
import { COMMIT_BYTES_MAX } from "./limits.ts";

/** A file whose frames count. Only the last one of the list grows. */
export interface JournalFile {
  readonly fileNumber: number;
  /** Up to the last frame that is known to be on disk. */
  bytes: number;
  /** Every number in it is below; 0 where it holds no frame. */
  endSeq: number;
  keys: RetryKeyList;
}

/** The first pending frames that go into one write, one at the least where there is one. */
export function takeBatch(pending: readonly Frame[]): readonly Frame[] {
  let bytes = 0;
  let count = 0;
  for (const frame of pending) {
    bytes += frameBytes(frame);
    if (count > 0 && bytes > COMMIT_BYTES_MAX) break;
    count++;
  }
  return pending.slice(0, count);
}

export function encodeBatch(batch: readonly Frame[], salt: number): readonly Uint8Array[] {
  return batch.flatMap((frame) => [encodeFrameHeader(frame, salt), frame.payload]);
}

/** Counts what is on disk now. */
export function addToFile(
  file: JournalFile,
  batch: readonly Frame[],
  buffers: readonly Uint8Array[],
): void {
  for (const buffer of buffers) file.bytes += buffer.length;
  for (const frame of batch) {
    file.endSeq = frame.firstSeq + frameSeqCount(frame);
    file.keys.addFrame(frame);
  }
}

/** Bytes that the frames take in a file, but for their ordinals. */
export function batchBytes(batch: readonly Frame[]): number {
  return batch.reduce((sum, frame) => sum + frameBytes(frame), 0);
}
