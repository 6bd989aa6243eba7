import type { ColumnCache } from "../column-cache.ts";
import { SegmentDamage } from "../segment-damage.ts";
import type { Section } from "../segment-format.ts";
import type { SegmentSections } from "../segment-sections.ts";
import { TRACE_DIRECTORY, TRACE_PAGES } from "./filter-writer.ts";
import { idsOfPages, isTracePageWhole, pageOf, rowsInPage } from "./trace-index.ts";

/**
 * The trace index of a block on disk.
 *
 * Errors: `SegmentDamage`.
 */
export class TraceIndex {
  readonly #segment: SegmentSections;
  readonly #rows: number;
  readonly #directory: Section;
  readonly #pages: Section;
  readonly #key: string;
  readonly #cache: ColumnCache;

  /** What was asked for last: whoever asks for the rows of a trace mostly shows them next. */
  #last: { readonly id: Uint8Array; readonly rows: ReadonlySet<number> } | undefined;

  private constructor(
    segment: SegmentSections,
    index: number,
    sections: { readonly directory: Section; readonly pages: Section },
    cache: ColumnCache,
  ) {
    this.#segment = segment;
    this.#rows = segment.footer.blocks[index].rows;
    this.#directory = sections.directory;
    this.#pages = sections.pages;
    this.#key = `${segment.path}#${index}/${TRACE_DIRECTORY}`;
    this.#cache = cache;
  }

  /** Of a block; undefined where it has none. */
  static of(segment: SegmentSections, index: number, cache: ColumnCache): TraceIndex | undefined {
    const { sections } = segment.footer.blocks[index];
    const directory = sections.find(({ name }) => name === TRACE_DIRECTORY);
    const pages = sections.find(({ name }) => name === TRACE_PAGES);
    if (directory === undefined || pages === undefined) return undefined;
    return new TraceIndex(segment, index, { directory, pages }, cache);
  }

  /** The rows of a trace, ascending. Reads one page at the most. */
  rowsOf(id: Uint8Array): readonly number[] {
    const place = pageOf(this.#readDirectory(), id);
    if (place === undefined) return [];
    const page = this.#segment.readPart(this.#pages, place.offset, place.size);
    this.#segment.bytesRead += page.length;
    if (isTracePageWhole(page)) {
      const rows = rowsInPage(page, id);
      this.#last = { id: id.slice(), rows: new Set(rows) };
      return rows;
    }
    throw new SegmentDamage(this.#segment.path, `a page of ${TRACE_PAGES} fails its checksum`);
  }

  /** The id of a row that `rowsOf` found last; undefined for others. */
  knownId(row: number): Uint8Array | undefined {
    return this.#last?.rows.has(row) === true ? this.#last.id : undefined;
  }

  /** The ids of all rows, 16 bytes a row. */
  ids(): Uint8Array {
    const key = `${this.#key}/ids`;
    const known = this.#cache.get(key);
    if (known instanceof Uint8Array) return known;
    const pages = this.#segment.readSection(this.#pages);
    const ids = idsOfPages(this.#readDirectory(), pages, this.#rows);
    this.#cache.set(key, ids);
    return ids;
  }

  #readDirectory(): Uint8Array {
    const known = this.#cache.get(this.#key);
    if (known instanceof Uint8Array) return known;
    const directory = this.#segment.readSection(this.#directory);
    this.#cache.set(this.#key, directory);
    return directory;
  }
}
