import type { SearchEnd } from "../log-store/log-store.ts";

/** What every answer that is one JSON object says of the query's end. */
export interface AnswerEnd {
  readonly status: "complete" | "partial";
  /** Why it is partial: one sentence each. */
  readonly reasons: readonly string[];
  readonly scanned_rows: number;
  readonly scanned_bytes: number;
}

export function answerOf({ status, reasons, scannedRows, scannedBytes }: SearchEnd): AnswerEnd {
  return { status, reasons, scanned_rows: scannedRows, scanned_bytes: scannedBytes };
}
