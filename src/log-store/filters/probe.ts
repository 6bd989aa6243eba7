import type { ColumnCache } from "../column-cache.ts";
import type { BlockHeader, Section } from "../segment-format.ts";
import { SegmentDamage } from "../segment-damage.ts";
import type { SegmentReader } from "../segment-reader.ts";
import type { FilterKey } from "./filter-key.ts";
import { KeyHasher } from "./filter-key.ts";
import { isPageWhole, isSet, placeOf } from "./filter-lines.ts";
import { TRACE_FILTER, WORD_FILTER } from "./filter-writer.ts";
import { ID_BYTES } from "./trace-groups.ts";
import { TraceIndex } from "./trace-index-reader.ts";

/**
 * What can be said of the rows of a segment or a block without reading them. It errs to one side
 * only: rows that have what is asked for are never denied.
 */
export interface Probe {
  readonly minSeverity: number;
  readonly maxSeverity: number;
  mayHoldWord(key: FilterKey): boolean;
  /** `id` is the 16 bytes of a whole trace id. */
  mayHoldTrace(id: Uint8Array): boolean;
}

/** The probe of a segment, and those of its blocks, which are asked if it lets pass. */
export interface Probes {
  readonly segment: Probe;
  block(index: number): Probe;
}

/** Probes that know nothing but headers. */
export function headerProbes({ footer }: SegmentReader): Probes {
  const know = (severities: SeverityRange): Probe => ({
    ...severities,
    mayHoldWord: () => true,
    mayHoldTrace: () => true,
  });
  return {
    segment: know(severityRange(footer.blocks)),
    block: (index) => know(severityRange([footer.blocks[index]])),
  };
}

type SeverityRange = Pick<BlockHeader, "minSeverity" | "maxSeverity">;

function severityRange(blocks: readonly BlockHeader[]): SeverityRange {
  return {
    minSeverity: Math.min(...blocks.map(({ minSeverity }) => minSeverity)),
    maxSeverity: Math.max(...blocks.map(({ maxSeverity }) => maxSeverity)),
  };
}

/** What probes read, and whom they tell of a filter that is damaged and so not used. */
interface Probed {
  readonly segment: SegmentReader;
  readonly cache: ColumnCache;
  readonly onDamage: (damage: SegmentDamage) => void;
}

/**
 * Probes that ask filters, where there are some. Each question to a filter reads a page of at most
 * 4 KB from the file. None is kept here, whatever is stored: the operating system does that.
 */
export function filterProbes(probed: Probed): Probes {
  return { segment: segmentProbe(probed), block: (index) => blockProbe(probed, index) };
}

function segmentProbe(probed: Probed): Probe {
  const { blocks, sections } = probed.segment.footer;
  const hasher = new KeyHasher();
  return {
    ...severityRange(blocks),
    mayHoldWord: (key) => mayHold(probed, sectionOf(sections, WORD_FILTER), key),
    mayHoldTrace: (id) => {
      hasher.hash(id, 0, ID_BYTES);
      return mayHold(probed, sectionOf(sections, TRACE_FILTER), hasher);
    },
  };
}

function blockProbe(probed: Probed, index: number): Probe {
  const { segment, cache } = probed;
  const header = segment.footer.blocks[index];
  const { sections } = header;
  return {
    ...severityRange([header]),
    mayHoldWord: (key) => mayHold(probed, sectionOf(sections, WORD_FILTER), key),
    mayHoldTrace: (id) => {
      try {
        const rows = TraceIndex.of(segment, index, cache)?.rowsOf(id);
        return rows === undefined || rows.length > 0;
      } catch (error) {
        // Whoever reads the rows will find it too.
        if (error instanceof SegmentDamage) return true;
        throw error;
      }
    },
  };
}

function sectionOf(sections: readonly Section[], name: string): Section | undefined {
  return sections.find((section) => section.name === name);
}

function mayHold(
  { segment, onDamage }: Probed,
  section: Section | undefined,
  key: FilterKey,
): boolean {
  if (section === undefined) return true;
  const place = placeOf(key, section.size);
  if (place === undefined) return false;
  try {
    const page = segment.readPart(section, place.offset, place.size);
    segment.bytesRead += page.length;
    if (isPageWhole(page)) return isSet(page, place.line, key);
    throw new SegmentDamage(segment.path, `a page of ${section.name} fails its checksum`);
  } catch (error) {
    if (!(error instanceof SegmentDamage)) throw error;
    onDamage(error);
    return true;
  }
}
