import { AppError } from "../core/errors.ts";

/** A place in a search's order: behind the record with this time and sequence number. */
export interface Cursor {
  readonly order: "newest" | "oldest";
  readonly day: number;
  readonly ns: number;
  readonly seq: number;
  /** The search sees records below this number: those committed when its first page was read. */
  readonly seqEnd: number;
}

export function formatCursor({ order, day, ns, seq, seqEnd }: Cursor): string {
  return [order === "newest" ? "n" : "o", day, ns, seq, seqEnd].join("-");
}

/** Errors: `CURSOR_INVALID` for text that is no cursor, or one of a search in another order. */
export function parseCursor(text: string, order: "newest" | "oldest"): Cursor {
  const match = /^([no])-(\d{1,6})-(\d{1,14})-(\d{1,16})-(\d{1,16})$/.exec(text);
  const isOrder = match?.[1] === (order === "newest" ? "n" : "o");
  if (match === null || !isOrder) {
    throw new AppError("CURSOR_INVALID", `"${text.slice(0, 80)}" is no cursor of this search`);
  }
  const [day = 0, ns = 0, seq = 0, seqEnd = 0] = match.slice(2).map(Number);
  return { order, day, ns, seq, seqEnd };
}
