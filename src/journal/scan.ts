import { FILE_HEADER_BYTES } from "./file-header.ts";
import type { Frame } from "./frame.ts";
import { frameSeqCount } from "./frame.ts";
import { FRAME_HEADER_BYTES, findFrame, findSalt, readFrame } from "./frame-codec.ts";
import { FRAME_RECORDS_MAX } from "./limits.ts";

/** A place in which no frame can be read. */
export interface Gap {
  readonly offset: number;
  readonly endOffset: number;
}

export interface Scan {
  readonly frameCount: number;
  readonly gaps: readonly Gap[];
  /** The end of the last frame, or of the header where there is none. */
  readonly framesEndOffset: number;
  /** Above every number that the file shows or that a gap may hide. */
  readonly nextSeq: number;
}

interface ScanOptions {
  /** How much of the file counts. Past the end of the bytes it is a gap: what is not there. */
  readonly validBytes: number;
  /** Undefined where the file's header is lost: the first frame tells it then. */
  readonly salt: number | undefined;
  /** What the file's header says; 0 where it is lost. */
  readonly nextSeq: number;
}

/**
 * Gives on every whole frame of a file in order. Behind damage it looks for the next frame that
 * bears the file's salt; frames whose numbers go back are damage too.
 */
export function scanFrames(
  bytes: Buffer,
  file: ScanOptions,
  onFrame: (frame: Frame, endSeq: number) => void,
): Scan {
  const salt = file.salt ?? findSalt(bytes, FILE_HEADER_BYTES);
  const valid = bytes.subarray(0, file.validBytes);
  const gaps: Gap[] = [];
  let frameCount = 0;
  let framesEndOffset = FILE_HEADER_BYTES;
  let nextSeq = file.nextSeq;
  let hiddenSeqs = 0;
  let offset = FILE_HEADER_BYTES;
  while (offset < file.validBytes) {
    const reading = salt === undefined ? undefined : readFrame(valid, offset, salt);
    if (reading?.status === "whole" && reading.frame.firstSeq >= nextSeq) {
      nextSeq = reading.frame.firstSeq + frameSeqCount(reading.frame);
      hiddenSeqs = 0;
      frameCount++;
      onFrame(reading.frame, nextSeq);
      offset = reading.endOffset;
      framesEndOffset = offset;
      continue;
    }
    const gap = { offset, endOffset: findGapEnd(valid, offset, salt, file.validBytes) };
    if (reading?.status === "damaged") nextSeq = Math.max(nextSeq, reading.endSeq);
    if (reading === undefined || reading.status === "unreadable") {
      hiddenSeqs += countHiddenSeqs(Math.min(gap.endOffset, bytes.length) - gap.offset);
    }
    gaps.push(gap);
    offset = gap.endOffset;
  }
  return { frameCount, gaps, framesEndOffset, nextSeq: nextSeq + hiddenSeqs };
}

/** Where reading goes on: behind a frame of known length, else at the next frame that is found. */
function findGapEnd(
  valid: Buffer,
  offset: number,
  salt: number | undefined,
  validBytes: number,
): number {
  if (salt === undefined) return validBytes;
  const reading = readFrame(valid, offset, salt);
  if (reading.status !== "unreadable" && reading.endOffset <= valid.length)
    return reading.endOffset;
  let next = findFrame(valid, offset + 1, salt);
  while (next !== undefined && readFrame(valid, next, salt).status === "unreadable") {
    next = findFrame(valid, next + 1, salt);
  }
  return next ?? validBytes;
}

/**
 * Numbers that unreadable bytes may have given away: they were acknowledged perhaps, and a number
 * is never used twice. A rest shorter than a frame's header was never synced.
 */
function countHiddenSeqs(sizeBytes: number): number {
  return Math.max(0, Math.floor(sizeBytes / FRAME_HEADER_BYTES)) * FRAME_RECORDS_MAX;
}
