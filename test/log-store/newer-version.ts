import { crc32 } from "node:zlib";

/** A store's file as a later version of dora would have written it: all the same but the version. */
export function withVersion(bytes: Buffer, what: string): Buffer {
  return what === "segment" ? newerSegment(bytes) : newerManifest(bytes);
}

function newerManifest(bytes: Buffer): Buffer {
  const text =
    bytes
      .toString()
      .split("\n")[0]
      ?.replace(/"version":\d/, '"version":9') ?? "";
  return Buffer.from(`${text}\n${crc32(text).toString(16).padStart(8, "0")}\n`);
}

function newerSegment(bytes: Buffer): Buffer {
  const length = bytes.readUInt32LE(bytes.length - 16);
  const start = bytes.length - 16 - length;
  const footer = Buffer.from(
    bytes
      .subarray(start, start + length)
      .toString()
      .replace(/"version":\d/, '"version":9'),
  );
  const trailer = Buffer.from(bytes.subarray(bytes.length - 16));
  trailer.writeUInt32LE(crc32(footer), 4);
  return Buffer.concat([bytes.subarray(0, start), footer, trailer]);
}
