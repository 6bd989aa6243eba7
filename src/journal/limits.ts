import { assert } from "../core/assert.ts";
import { REQUEST_BYTES_MAX } from "../core/limits.ts";

/** A frame's payload: a request of the largest size, which processors may have made larger. */
export const FRAME_PAYLOAD_BYTES_MAX = 2 * REQUEST_BYTES_MAX;

/** Records of one request: on the wire each takes two bytes at least, a tag and a length. */
export const FRAME_RECORDS_MAX = REQUEST_BYTES_MAX / 2;

/** The runs of rejected and filtered ordinals; at worst every second record starts a run. */
export const FRAME_ORDINALS_BYTES_MAX = 2 * REQUEST_BYTES_MAX;

/** A file takes no further commit past this size. Replay holds one file in memory. */
export const JOURNAL_FILE_BYTES_MAX = 64 * 1024 * 1024;

/** One shared write. More than this waits for the next one, so that early frames are not held up. */
export const COMMIT_BYTES_MAX = 16 * 1024 * 1024;

/** The newest file is replaced by an empty one if nothing in it is needed and it is larger. */
export const RELEASE_BYTES_MIN = 1024 * 1024;

/** How long a request is remembered, so that sending it again stores nothing twice. */
export const RETRY_WINDOW_MS = 10 * 60 * 1000;

/** Requests remembered at the most. */
export const RETRY_KEYS_MAX = 1_000_000;

/** Sentences of a report that describe damage; what is past it is only counted. */
export const DAMAGE_SENTENCES_MAX = 100;

assert(COMMIT_BYTES_MAX <= JOURNAL_FILE_BYTES_MAX, "a commit fits a file");
// Lengths stand in the frame header as unsigned 32-bit numbers.
assert(FRAME_PAYLOAD_BYTES_MAX + FRAME_ORDINALS_BYTES_MAX < 2 ** 32, "a frame's length fits u32");
