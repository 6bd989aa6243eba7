import { EXPORT_FORMATS } from "../query/export.ts";

/** What `--output` takes where people read the answer. */
export const OUTPUT_FORMATS = ["text", ...EXPORT_FORMATS] as const;

/** What `--output` takes where a program reads the answer. */
export const FILE_FORMATS = [...EXPORT_FORMATS, "parquet"] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];
