import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { z } from "zod";
import { AppError } from "../core/errors.ts";
import type { Storage } from "../journal/storage.ts";
import { storedCounters, ZERO_COUNTERS } from "./counters.ts";
import { segmentEntry } from "./segment-format.ts";

/** The version that is written; a higher one is refused untouched. */
export const MANIFEST_VERSION = 1;
export const MANIFEST_FILE = "manifest.json";

const perSignalOf = <T extends z.ZodType>(
  value: T,
): z.ZodObject<{ logs: T; traces: T; metrics: T }> =>
  z.object({ logs: value, traces: value, metrics: value });

/** The part that segment footers repeat, so that a lost manifest can be made anew. */
export const manifestState = z.object({
  storeId: z.string(),
  createdUnixMs: z.number(),
  /** No record has this number or a higher one, unless the journal has more frames. */
  nextSeq: z.number(),
  /** For each signal: rows with lower numbers are in segments, the others in the journal. */
  positions: perSignalOf(z.number()),
  /** The counters count every frame whose first number is below this one. */
  countedSeq: z.number(),
  counters: perSignalOf(storedCounters),
});
export type ManifestState = z.infer<typeof manifestState>;

const manifest = manifestState.extend({
  version: z.literal(MANIFEST_VERSION),
  segments: z.array(segmentEntry).readonly(),
});
export type Manifest = z.infer<typeof manifest>;

export function newManifest(nowUnixMs: number): Manifest {
  return {
    version: MANIFEST_VERSION,
    storeId: randomUUID(),
    createdUnixMs: nowUnixMs,
    nextSeq: 1,
    positions: { logs: 0, traces: 0, metrics: 0 },
    countedSeq: 0,
    counters: ZERO_COUNTERS,
    segments: [],
  };
}

/**
 * Replaces the manifest, in one step that a crash either shows whole or not at all: written under
 * another name, synced, renamed, and the folder synced.
 *
 * Layout: JSON on the first line, its CRC-32 in hex on the second.
 */
export async function writeManifest(
  storage: Storage,
  directory: string,
  content: Manifest,
): Promise<void> {
  const text = JSON.stringify(content);
  const temporary = join(directory, `${MANIFEST_FILE}.tmp`);
  await storage.remove(temporary);
  const file = await storage.create(temporary);
  try {
    await file.write([Buffer.from(`${text}\n${checksum(text)}\n`)]);
    await file.sync();
  } finally {
    await file.close();
  }
  await storage.rename(temporary, join(directory, MANIFEST_FILE));
  await storage.syncDirectory(directory);
}

export type ManifestRead =
  | { readonly status: "ok"; readonly manifest: Manifest }
  | { readonly status: "damaged"; readonly reason: string };

/** Reads a manifest's bytes. Errors: `STORE_FORMAT_UNKNOWN` for a newer version. */
export function readManifest(path: string, bytes: Uint8Array): ManifestRead {
  const [text = "", sum = ""] = new TextDecoder().decode(bytes).split("\n");
  if (sum !== checksum(text)) return { status: "damaged", reason: "it fails its checksum" };
  const json: unknown = JSON.parse(text);
  const versioned = z.object({ version: z.number() }).safeParse(json);
  if (versioned.success && versioned.data.version > MANIFEST_VERSION) {
    throw new AppError(
      "STORE_FORMAT_UNKNOWN",
      `${path} has version ${versioned.data.version}, this dora reads up to ${MANIFEST_VERSION}`,
    );
  }
  const parsed = manifest.safeParse(json);
  if (parsed.success) return { status: "ok", manifest: parsed.data };
  return { status: "damaged", reason: z.prettifyError(parsed.error) };
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
