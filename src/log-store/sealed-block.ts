import type { Block, BytesColumn, DictColumn, RowKeys, TimeColumn } from "./block.ts";
import { bytesColumn } from "./block.ts";
import { AttributeRowReader } from "./clauses/attribute-rows.ts";
import { ClauseColumn, ClauseRowReader } from "./clauses/clause-column.ts";
import { shapeIdsName } from "./clauses/clause-writer.ts";
import { WholeValues } from "./clauses/whole-values.ts";
import { addSigned, decodeDeltas, decodeOffsets, DeltaColumn } from "./column-codec.ts";
import type { ColumnCache } from "./column-cache.ts";
import { TraceIndex } from "./filters/trace-index-reader.ts";
import { PointParts, POINTS_SECTION, SERIES_SECTION } from "./points/point-values.ts";
import type { PointValues } from "./points/point-values.ts";
import { decodeSeries, SeriesColumn } from "./points/series-column.ts";
import { SealedClauses } from "./sealed-clauses.ts";
import { SegmentDamage } from "./segment-damage.ts";
import type { Section } from "./segment-format.ts";
import { distanceName } from "./segment-format.ts";
import type { SegmentSections } from "./segment-sections.ts";
import { BLOCK_ROWS_MAX } from "./table-schema.ts";

/**
 * A block on disk. Columns come from the cache, or are read, checked, decompressed and decoded.
 *
 * Errors: `SegmentDamage`, as a column is asked for.
 */
export class SealedBlock implements Block {
  readonly rows: number;
  readonly #segment: SegmentSections;
  readonly #sections: ReadonlyMap<string, Section>;
  readonly #key: string;
  readonly #cache: ColumnCache;
  readonly #traceIndex: TraceIndex | undefined;
  readonly #clauses = new Map<string, ClauseColumn>();

  constructor(segment: SegmentSections, index: number, cache: ColumnCache) {
    const { rows, sections } = segment.footer.blocks[index];
    this.rows = rows;
    this.#segment = segment;
    this.#sections = new Map(sections.map((section) => [section.name, section]));
    this.#key = `${segment.path}#${index}`;
    this.#cache = cache;
    this.#traceIndex = TraceIndex.of(segment, index, cache);
  }

  u8(name: string): Uint8Array {
    const ofSeries = this.series()?.values.get(name);
    if (ofSeries !== undefined) return this.#ofRows(name, Uint8Array, ofSeries);
    return this.#column(name, Uint8Array, (raw) => this.#expect(name, raw, raw.length));
  }

  u32(name: string): Uint32Array {
    const ofSeries = this.series()?.values.get(name);
    if (ofSeries !== undefined) return this.#ofRows(name, Uint32Array, ofSeries);
    return this.#column(name, Uint32Array, (raw) => {
      this.#expect(name, raw, raw.length / 4);
      return new Uint32Array(raw.buffer, raw.byteOffset, this.rows);
    });
  }

  f64(name: string): Float64Array {
    if (name === "value" && this.#sections.has(POINTS_SECTION)) return this.#allPoints().values;
    const isDelta = name !== "value";
    return this.#column(name, Float64Array, (raw) => {
      if (isDelta) return decodeDeltas(raw, new Float64Array(this.rows));
      this.#expect(name, raw, raw.length / 8);
      return new Float64Array(raw.buffer, raw.byteOffset, this.rows);
    });
  }

  time(name: string): TimeColumn {
    if (this.#sections.has(distanceName(name, "ns"))) return this.#timeBehind(name);
    return {
      day: name === "time" ? this.#days() : this.#plainDays(name),
      ns: this.#column(`${name}.ns`, Float64Array, (raw) =>
        decodeDeltas(raw, new Float64Array(this.rows)),
      ),
    };
  }

  #plainDays(name: string): Int32Array {
    return this.#column(`${name}.day`, Int32Array, (raw) =>
      decodeDeltas(raw, new Int32Array(this.rows)),
    );
  }

  /** All rows of a segment are of its day: the column need not be read, and all blocks share it. */
  #days(): Int32Array {
    const { day } = this.#segment.footer;
    const key = `day ${day}`;
    const cached = this.#cache.get(key);
    if (cached instanceof Int32Array && cached.length >= this.rows) {
      return cached.subarray(0, this.rows);
    }
    const days = new Int32Array(Math.max(this.rows, BLOCK_ROWS_MAX)).fill(day);
    this.#cache.set(key, days);
    return days.subarray(0, this.rows);
  }

  /** Few rows of points, which have no column that would need whole times, are read without them. */
  keysOf(rows: Uint32Array): RowKeys | undefined {
    if (rows.length > this.rows / ROWS_PER_KEY_MIN || this.series() === undefined) return undefined;
    return {
      day: this.#days().subarray(0, rows.length),
      ns: this.#deltas("time.ns").pick(rows),
      seq: this.#deltas("seq").pick(rows),
    };
  }

  #deltas(name: string): DeltaColumn {
    const section = this.#section(name);
    return this.#kept(
      `${name} in part`,
      DeltaColumn,
      () => new DeltaColumn(this.#segment.readSection(section), this.rows),
    );
  }

  #timeBehind(name: string): TimeColumn {
    const base = this.time("time");
    return {
      day: this.#column(distanceName(name, "day"), Int32Array, (raw) =>
        addSigned(raw, base.day, new Int32Array(this.rows)),
      ),
      ns: this.#column(distanceName(name, "ns"), Float64Array, (raw) =>
        addSigned(raw, base.ns, new Float64Array(this.rows)),
      ),
    };
  }

  ids(name: string): Uint8Array {
    if (name === "trace_id" && this.#traceIndex !== undefined) return this.#traceIndex.ids();
    const width = name === "trace_id" ? 16 : 8;
    return this.#column(name, Uint8Array, (raw) => this.#expect(name, raw, raw.length / width));
  }

  knownTraceId(row: number): Uint8Array | undefined {
    return this.#traceIndex?.knownId(row);
  }

  traceRows(id: Uint8Array): readonly number[] | undefined {
    return this.#traceIndex?.rowsOf(id);
  }

  dict(name: string): DictColumn {
    return { ids: this.u32(name), dictionary: this.#segment.dictionary(name) };
  }

  clauses(name: string): ClauseColumn | undefined {
    const known = this.#clauses.get(name);
    if (known !== undefined || !this.#sections.has(shapeIdsName(name))) return known;
    const source = new SealedClauses({
      column: name,
      segment: this.#segment,
      sections: this.#sections,
      rows: this.rows,
      key: this.#key,
      cache: this.#cache,
    });
    const column = new ClauseColumn(source, this.rows);
    this.#clauses.set(name, column);
    return column;
  }

  series(): SeriesColumn | undefined {
    const section = this.#sections.get(SERIES_SECTION);
    if (section === undefined) return undefined;
    return this.#kept(SERIES_SECTION, SeriesColumn, () =>
      decodeSeries(this.#segment.readSection(section), this.rows),
    );
  }

  seriesDict(name: string): DictColumn | undefined {
    const ids = this.series()?.values.get(name);
    return ids && { ids, dictionary: this.#segment.dictionary(name) };
  }

  /** A column for each row, of one that is kept once for each series. */
  #ofRows<T extends Uint8Array | Uint32Array>(
    name: string,
    type: { readonly prototype: T; new (length: number): T },
    ofSeries: Uint32Array,
  ): T {
    return this.#kept(name, type, () => {
      const column = new type(this.rows);
      const ids = this.series()?.ids ?? column;
      for (let row = 0; row < column.length; row++) column[row] = ofSeries[ids[row]];
      return column;
    });
  }

  points(): PointParts | undefined {
    const section = this.#sections.get(POINTS_SECTION);
    const series = this.series();
    if (section === undefined || series === undefined) return undefined;
    return this.#kept(
      POINTS_SECTION,
      PointParts,
      () => new PointParts(series, this.#segment.readSection(section)),
    );
  }

  #allPoints(): PointValues {
    const points = this.points();
    if (points === undefined) {
      throw new SegmentDamage(this.#segment.path, `section ${SERIES_SECTION} is missing`);
    }
    return this.#kept(`${POINTS_SECTION}.all`, AllPoints, () => new AllPoints(points.readAll()))
      .values;
  }

  /** What is made of a section, from the cache or anew. */
  #kept<T extends { readonly byteLength: number }>(
    name: string,
    type: { readonly prototype: T; new (...parts: never[]): T },
    make: () => T,
  ): T {
    const key = `${this.#key}/${name}`;
    const cached = this.#cache.get(key);
    if (cached instanceof type) return cached;
    const made = make();
    this.#cache.set(key, made);
    return made;
  }

  bytes(name: string): BytesColumn {
    if (name === "rest" && this.#sections.has(POINTS_SECTION)) return this.#allPoints().rest;
    const column = this.clauses(name);
    if (column !== undefined) return this.#wholeValues(name, column);
    const offsets = this.#column(`${name}.lengths`, Uint32Array, (raw) =>
      decodeOffsets(raw, this.rows),
    );
    const data = this.#column(name, Uint8Array, (raw) => raw);
    if (offsets[this.rows] !== data.length) {
      throw new SegmentDamage(this.#segment.path, `column ${name} has another size than its rows`);
    }
    return bytesColumn(data, offsets, 0, this.rows);
  }

  /** Every value of a column of clauses, put together. */
  #wholeValues(name: string, column: ClauseColumn): BytesColumn {
    const known = this.#cache.get(`${this.#key}/${name}`);
    if (known instanceof WholeValues) return known.column;
    const reader =
      name === "attributes" ? new AttributeRowReader(column) : new ClauseRowReader(column);
    const values = new WholeValues(reader, this.rows);
    this.#cache.set(`${this.#key}/${name}`, values);
    return values.column;
  }

  #column<T extends Uint8Array | Uint32Array | Int32Array | Float64Array>(
    name: string,
    type: { readonly prototype: T; new (length: number): T },
    decode: (raw: Uint8Array) => T,
  ): T {
    const key = `${this.#key}/${name}`;
    const cached = this.#cache.get(key);
    if (cached instanceof type) return cached;
    const column = decode(this.#segment.readSection(this.#section(name)));
    this.#cache.set(key, column);
    return column;
  }

  #section(name: string): Section {
    const section = this.#sections.get(name);
    if (section !== undefined) return section;
    throw new SegmentDamage(this.#segment.path, `section ${name} is missing`);
  }

  #expect(name: string, raw: Uint8Array, rows: number): Uint8Array {
    if (rows === this.rows) return raw;
    throw new SegmentDamage(this.#segment.path, `column ${name} has ${rows} rows of ${this.rows}`);
  }
}

/** With fewer rows for each one that is asked for, whole columns are as quick, and kept. */
const ROWS_PER_KEY_MIN = 16;

/** Points of a whole block, with their size. */
class AllPoints {
  readonly values: PointValues;

  constructor(values: PointValues) {
    this.values = values;
  }

  get byteLength(): number {
    const { values, rest } = this.values;
    return values.byteLength + rest.data.byteLength + 2 * rest.starts.byteLength;
  }
}
