import type { Dictionary } from "./block.ts";
import type { ClauseShapes, ClauseTemplates } from "./clauses/clause-dictionary.ts";
import type { ColumnCache } from "./column-cache.ts";
import type { Section, SegmentFooter } from "./segment-format.ts";

/**
 * What the readers of a segment's columns ask of its file: sections, whole or in part, and what all
 * its blocks share.
 *
 * Errors: `SegmentDamage` from every method.
 */
export interface SegmentSections {
  readonly path: string;
  readonly footer: SegmentFooter;
  /** Bytes read and decompressed so far, for budgets; who calls `readPart` adds to it. */
  bytesRead: number;
  /** A section's raw bytes, checked, in memory of their own. */
  readSection(section: Section): Uint8Array;
  /** Bytes of a section from `offset` on, not checked: what is there has a checksum of its own. */
  readPart(section: Section, offset: number, size: number): Uint8Array;
  /** What `bytes` were before zstd; `what` names them in an error. */
  decompress(what: string, bytes: Uint8Array, rawSize: number): Uint8Array;
  dictionary(name: string): Dictionary;
  /** The templates (shapes) of a column that is kept as clauses. */
  templates(column: string, cache: ColumnCache): ClauseTemplates;
  shapes(column: string, cache: ColumnCache): ClauseShapes;
}
