import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeFileHeader } from "../../src/journal/file-header.ts";
import { journalFileName, keysFileName } from "../../src/journal/file-name.ts";
import type { Frame } from "../../src/journal/frame.ts";
import { frameSeqCount } from "../../src/journal/frame.ts";
import { encodeFrameHeader } from "../../src/journal/frame-codec.ts";
import { FRAME_RECORDS_MAX } from "../../src/journal/limits.ts";
import { NodeStorage } from "../../src/journal/node-storage.ts";
import type { FilePosition, HeaderState } from "../../src/journal/recovery-rules.ts";
import { FILE_DECISIONS, REST_DECISIONS } from "../../src/journal/recovery-rules.ts";
import type { Replay } from "./journal-user.ts";
import { copyFrame, JournalUser, makeFrame } from "./journal-user.ts";

const SALT = 77;

let root = "";
let user: JournalUser;
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "journal-replay-"));
  user = new JournalUser(root);
  fs.mkdirSync(user.directory);
});
afterEach(() => fs.rmSync(root, { recursive: true }));

interface FileFields {
  readonly previousNumber?: number;
  readonly previousBytes?: number;
  readonly nextSeq?: number;
  readonly dropped?: number;
}

function frameBytesOf(frame: Frame): Buffer {
  return Buffer.concat([encodeFrameHeader(frame, SALT), frame.payload]);
}

function fileBytesOf(
  fileNumber: number,
  frames: readonly Frame[],
  fields: FileFields = {},
): Buffer {
  const { previousNumber = 0, previousBytes = 0, dropped = 0 } = fields;
  const header = encodeFileHeader({
    fileNumber,
    previousNumber,
    previousBytes,
    nextSeq: fields.nextSeq ?? frames[0]?.firstSeq ?? 0,
    droppedTotals: { logs: dropped, traces: 0, metrics: 0 },
    salt: SALT,
  });
  return Buffer.concat([header, ...frames.map(frameBytesOf)]);
}

/** Frames of three records each, of different sizes. */
function makeFrames(firstSeq: number, count: number): readonly Frame[] {
  return Array.from({ length: count }, (_, index) => {
    const payload = Buffer.alloc(7 * (index + 1), `${firstSeq + 3 * index},`);
    return makeFrame(firstSeq + 3 * index, { payload });
  });
}

function put(name: string, bytes: Uint8Array): void {
  fs.writeFileSync(path.join(user.directory, name), bytes);
}

function putFile(fileNumber: number, bytes: Uint8Array): void {
  put(journalFileName(fileNumber), bytes);
}

function snapshot(): readonly (readonly [string, string])[] {
  return fs
    .readdirSync(user.directory)
    .sort()
    .map((name) => [name, fs.readFileSync(path.join(user.directory, name), "hex")]);
}

async function replay(mode: "read" | "write" = "read"): Promise<Replay> {
  const found = await user.open(new NodeStorage(), mode);
  await user.journal.close();
  return found;
}

function seqsOf(frames: readonly Frame[]): readonly number[] {
  return frames.map((frame) => frame.firstSeq);
}

describe("a journal file", () => {
  test("that is cut at any length gives exactly the frames that end before the cut", async () => {
    const frames = makeFrames(10, 6);
    const whole = fileBytesOf(1, frames);
    const ends = frames.map((_, index) => fileBytesOf(1, frames.slice(0, index + 1)).length);
    for (let length = 0; length <= whole.length; length++) {
      putFile(1, whole.subarray(0, length));
      const { frames: found, report } = await replay("write");
      const count = ends.filter((end) => end <= length).length;
      expect(found, `cut at ${length}`).toEqual(frames.slice(0, count).map(copyFrame));
      expect(report.damagedCount).toBe(0);
      const keptBytes = length < 256 ? 0 : (ends[count - 1] ?? 256);
      expect(report.cutBytes).toBe(length - keptBytes);
      const left = snapshot().map(([, hex]) => hex.length / 2);
      expect(left, "the torn tail is gone").toEqual(length < 256 ? [] : [keptBytes]);
      const again = await replay();
      expect(again.frames).toEqual(found);
      expect(again.report.cutBytes).toBe(0);
    }
  });

  test("with any byte damaged says so, and loses that byte's frame at the most", async () => {
    const frames = makeFrames(10, 5);
    const whole = fileBytesOf(1, frames);
    const ends = frames.map((_, index) => fileBytesOf(1, frames.slice(0, index + 1)).length);
    for (let offset = 0; offset < whole.length; offset++) {
      const bytes = Buffer.from(whole);
      bytes[offset] ^= 0x5a;
      putFile(1, bytes);
      const { frames: found, report } = await replay();
      const hit = offset < 256 ? -1 : ends.findIndex((end) => offset < end);
      expect(found, `byte ${offset}`).toEqual(
        frames.filter((_, index) => index !== hit).map(copyFrame),
      );
      const isLast = hit === frames.length - 1;
      expect(report.damagedCount).toBe(isLast ? 0 : 1);
      expect(report.cutBytes).toBe(isLast ? ends[4] - ends[3] : 0);
      expect(report.damage).toHaveLength(report.damagedCount);
      expect(report.nextSeq).toBeGreaterThanOrEqual(10 + 15);
    }
  });

  test("with any byte damaged that a successor counts on costs one frame and is reported", async () => {
    const frames = makeFrames(10, 3);
    const whole = fileBytesOf(1, frames);
    const later = makeFrames(100, 1);
    const successor = fileBytesOf(2, later, { previousNumber: 1, previousBytes: whole.length });
    for (let offset = 0; offset < whole.length; offset++) {
      const bytes = Buffer.from(whole);
      bytes[offset] ^= 0x5a;
      putFile(1, bytes);
      putFile(2, successor);
      const { frames: found, report } = await replay("write");
      expect(found.length, `byte ${offset}`).toBe(offset < 256 ? 4 : 3);
      expect([report.damagedCount, report.cutBytes]).toEqual([1, 0]);
      expect(report.damage[0]).toContain(journalFileName(1));
      expect(fs.readFileSync(path.join(user.directory, journalFileName(1)))).toEqual(bytes);
    }
  });

  test("shorter than its successor says is damage, not a torn tail", async () => {
    const frames = makeFrames(10, 3);
    const whole = fileBytesOf(1, frames);
    putFile(1, whole.subarray(0, whole.length - 1));
    putFile(2, fileBytesOf(2, [], { previousNumber: 1, previousBytes: whole.length }));
    const { frames: found, report } = await replay("write");
    expect(seqsOf(found)).toEqual([10, 13]);
    expect([report.damagedCount, report.cutBytes]).toEqual([1, 0]);
  });

  test("with a frame's bytes in a record's payload does not give that frame on", async () => {
    const forged = Buffer.concat([encodeFrameHeader(makeFrame(500), SALT + 1), Buffer.from("x")]);
    const frames = [makeFrame(10, { payload: forged }), makeFrame(20)];
    const bytes = fileBytesOf(1, frames);
    bytes[256 + 60] ^= 1;
    putFile(1, bytes);
    const { frames: found, report } = await replay();
    expect(seqsOf(found)).toEqual([20]);
    expect(report.damagedCount).toBe(1);
  });

  test("whose frames' numbers go back gives on those that ascend", async () => {
    putFile(1, fileBytesOf(1, [makeFrame(10), makeFrame(40), makeFrame(20), makeFrame(50)]));
    const { frames, report } = await replay();
    expect(seqsOf(frames)).toEqual([10, 40, 50]);
    expect(report.damagedCount).toBe(1);
  });

  test("with an unreadable tail leaves its numbers unused", async () => {
    const frames = makeFrames(10, 3);
    const bytes = fileBytesOf(1, frames);
    const lastFrame = frameBytesOf(frames[2]);
    bytes.fill(0, bytes.length - lastFrame.length);
    putFile(1, bytes);
    const { report } = await replay();
    expect(report.nextSeq).toBe(16 + FRAME_RECORDS_MAX);
    expect(report.cutBytes).toBe(lastFrame.length);
  });

  test("that is missing between two others is reported", async () => {
    putFile(1, fileBytesOf(1, makeFrames(10, 1)));
    putFile(3, fileBytesOf(3, makeFrames(90, 1), { previousNumber: 2, previousBytes: 333 }));
    const { frames, report } = await replay();
    expect(seqsOf(frames)).toEqual([10, 90]);
    expect(report.damage).toEqual([
      `${path.join(user.directory, journalFileName(2))}: the file is missing, of which 333 bytes counted`,
    ]);
  });

  test("of the newest number whose older ones were released is no damage", async () => {
    putFile(3, fileBytesOf(3, makeFrames(90, 1), { previousNumber: 2, previousBytes: 333 }));
    expect((await replay()).report.damagedCount).toBe(0);
  });

  test("under another file's number is read by its frames", async () => {
    putFile(4, fileBytesOf(3, makeFrames(90, 2)));
    const { frames, report } = await replay();
    expect(seqsOf(frames)).toEqual([90, 93]);
    expect(report.damagedCount).toBe(1);
  });

  test("tells the dropped counts and numbers of the newest header", async () => {
    putFile(1, fileBytesOf(1, [], { dropped: 5 }));
    putFile(
      2,
      fileBytesOf(2, [], { previousNumber: 1, previousBytes: 256, dropped: 9, nextSeq: 70 }),
    );
    const { report } = await replay();
    expect(user.journal.droppedTotals).toEqual({ logs: 9, traces: 0, metrics: 0 });
    expect(report.nextSeq).toBe(70);
  });
});

describe("files of another version", () => {
  test("are refused, and nothing in the folder is changed", async () => {
    const unknown = fileBytesOf(2, makeFrames(40, 1));
    for (const copy of [unknown, unknown.subarray(128)]) {
      copy.writeUInt32LE(2, 8);
      copy.writeUInt32LE(crc32(copy.subarray(0, 12)), 12);
    }
    const older = fileBytesOf(1, makeFrames(10, 2));
    const torn = fileBytesOf(3, makeFrames(60, 2)).subarray(0, -3);
    for (const files of [[unknown], [older, unknown], [older, unknown, torn]]) {
      for (const [index, bytes] of files.entries()) putFile(index + 1, bytes);
      put(`${keysFileName(1)}.tmp`, Buffer.from("left over"));
      const before = snapshot();
      await expect(replay("write")).rejects.toMatchObject({ code: "STORE_FORMAT_UNKNOWN" });
      expect(snapshot()).toEqual(before);
    }
  });

  test("are refused where they are keys", async () => {
    const keys = Buffer.alloc(32);
    keys.write("doraKEYS");
    keys.writeUInt32LE(2, 8);
    keys.writeUInt32LE(crc32(keys.subarray(0, 12)), 12);
    put(keysFileName(1), keys);
    await expect(replay("write")).rejects.toMatchObject({ code: "STORE_FORMAT_UNKNOWN" });
    expect(snapshot()).toEqual([[keysFileName(1), keys.toString("hex")]]);
  });

  test("are told from a damaged version number", async () => {
    const bytes = fileBytesOf(1, makeFrames(10, 2));
    bytes.writeUInt32LE(2, 8);
    bytes.writeUInt32LE(2, 128 + 8);
    putFile(1, bytes);
    const { frames, report } = await replay();
    expect(seqsOf(frames)).toEqual([10, 13]);
    expect(report.damagedCount).toBe(1);
  });
});

describe("the decision table of files", () => {
  const STATES: readonly HeaderState[] = ["ok", "damaged", "absent", "unknown-version"];
  const POSITIONS: readonly FilePosition[] = ["newest", "named", "skipped"];

  /** File 2 is the one to decide about; 1 comes before it and, if it is not the newest, 3 after. */
  function putCase(header: HeaderState, position: FilePosition): void {
    const first = fileBytesOf(1, makeFrames(10, 2));
    const second = fileBytesOf(2, makeFrames(40, 2), {
      previousNumber: 1,
      previousBytes: first.length,
    });
    const previous =
      position === "named"
        ? { previousNumber: 2, previousBytes: second.length }
        : { previousNumber: 1, previousBytes: first.length };
    putFile(1, first);
    if (position !== "newest") putFile(3, fileBytesOf(3, makeFrames(80, 1), previous));
    if (header === "damaged") second.fill(0, 0, 256);
    if (header === "unknown-version") {
      second.writeUInt32LE(9, 8);
      second.writeUInt32LE(crc32(second.subarray(0, 12)), 12);
    }
    putFile(2, header === "absent" ? second.subarray(0, 200) : second);
  }

  test("has one rule for every header state in every position", () => {
    const cases = FILE_DECISIONS.map(({ header, position }) => `${header} ${position}`);
    expect(cases.sort()).toEqual(
      STATES.flatMap((header) => POSITIONS.map((position) => `${header} ${position}`)).sort(),
    );
  });

  test.each(FILE_DECISIONS)(
    "a file whose header is $header and that is $position: $decision",
    async ({ header, position, decision }) => {
      putCase(header, position);
      const hasSecond = (): boolean => fs.existsSync(path.join(user.directory, journalFileName(2)));
      const others = position === "newest" ? [10, 13] : [10, 13, 80];
      const all = position === "newest" ? [10, 13, 40, 43] : [10, 13, 40, 43, 80];
      if (decision === "refuse") {
        await expect(replay("write")).rejects.toMatchObject({ code: "STORE_FORMAT_UNKNOWN" });
        expect(hasSecond()).toBe(true);
        return;
      }
      await replay("read");
      expect(hasSecond(), "a reader removes nothing").toBe(true);
      const { frames, report } = await replay("write");
      const isReplayed = decision === "replay" || decision === "replay-without-header";
      expect(seqsOf(frames)).toEqual(isReplayed ? all : others);
      const isReported = decision === "replay-without-header" || decision === "report-lost";
      expect(report.damagedCount).toBe(isReported ? 1 : 0);
      expect(hasSecond()).toBe(decision !== "discard");
    },
  );

  test("a file without header and frames is skipped, and the one before it is the newest", async () => {
    const first = fileBytesOf(1, makeFrames(10, 2));
    putFile(1, first.subarray(0, -1));
    putFile(2, Buffer.alloc(700));
    const { frames, report } = await replay("write");
    expect(seqsOf(frames)).toEqual([10]);
    expect(report.damagedCount).toBe(0);
    expect(report.cutBytes).toBe(700 + frameBytesOf(makeFrames(10, 2)[1]).length - 1);
  });
});

describe("the decision table of unreadable bytes", () => {
  test.each(REST_DECISIONS)(
    "in the $place of a file that is $position: $decision",
    async ({ place, position, decision }) => {
      const frames = makeFrames(10, 3);
      const bytes = fileBytesOf(1, frames);
      const hit = place === "middle" ? 1 : 2;
      const offset = fileBytesOf(1, frames.slice(0, hit)).length;
      bytes.fill(0xee, offset, offset + frameBytesOf(frames[hit]).length);
      putFile(1, bytes);
      if (position === "named") {
        putFile(2, fileBytesOf(2, [], { previousNumber: 1, previousBytes: bytes.length }));
      }
      const { frames: found, report } = await replay("write");
      expect(seqsOf(found)).toEqual(seqsOf(frames.filter((_, index) => index !== hit)));
      expect(report.damagedCount).toBe(decision === "report-damage" ? 1 : 0);
      expect(report.cutBytes > 0).toBe(decision === "cut");
      const { size } = fs.statSync(path.join(user.directory, journalFileName(1)));
      expect(size).toBe(decision === "cut" ? offset : bytes.length);
    },
  );

  test("behind the length that a successor counts are never looked at", async () => {
    const frames = makeFrames(10, 3);
    const validBytes = fileBytesOf(1, frames.slice(0, 2)).length;
    putFile(1, fileBytesOf(1, frames));
    putFile(2, fileBytesOf(2, [], { previousNumber: 1, previousBytes: validBytes, nextSeq: 19 }));
    const { frames: found, report } = await replay("write");
    expect(seqsOf(found)).toEqual([10, 13]);
    expect([report.damagedCount, report.cutBytes]).toEqual([0, 0]);
    expect(report.nextSeq).toBe(10 + 3 * frameSeqCount(frames[0]));
  });
});
