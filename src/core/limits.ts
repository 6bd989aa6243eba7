/** Limits that more than one folder keeps. Each folder's own stand beside the code they bound. */

/** One request, before and after decompression (OTLP-006). */
export const REQUEST_BYTES_MAX = 64 * 1024 * 1024;

/** One record on the wire; a larger one is rejected and counted, its request goes on. */
export const RECORD_BYTES_MAX = 4 * 1024 * 1024;

/** Nesting of lists and maps in one value; bounds the stack of every reader (SEC-005). */
export const VALUE_DEPTH_MAX = 32;

/** Attributes of one record. */
export const ATTRIBUTES_MAX = 4096;
