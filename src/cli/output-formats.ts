import { EXPORT_FORMATS } from "../query/export.ts";

/** What `--output` takes where people read the answer. */
export const OUTPUT_FORMATS = ["text", ...EXPORT_FORMATS] as const;
