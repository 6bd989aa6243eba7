import type { Dictionary } from "./block.ts";
import type { ColumnCache } from "./column-cache.ts";
import type { ClauseDictionaries } from "./clauses/clause-column.ts";
import { templatesName } from "./clauses/clause-dictionary.ts";
import type { SegmentReader } from "./segment-reader.ts";

/** What a segment's dictionaries tell of its texts, whatever the number of its rows. */
export interface SegmentTexts {
  readonly rows: number;
  /** Of a column that is kept as clauses; else undefined. */
  clauses(column: string): ClauseDictionaries | undefined;
  dictionary(name: string): Dictionary;
}

export function segmentTexts(reader: SegmentReader, cache: ColumnCache): SegmentTexts {
  const names = new Set(reader.footer.dictionaries.map(({ name }) => name));
  return {
    rows: reader.footer.rows,
    clauses: (column) =>
      names.has(templatesName(column))
        ? {
            templates: () => reader.templates(column, cache),
            shapes: () => reader.shapes(column, cache),
          }
        : undefined,
    dictionary: (name) => reader.dictionary(name),
  };
}
