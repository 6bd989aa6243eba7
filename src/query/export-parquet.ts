import { zstdCompressSync } from "node:zlib";
import type { ColumnSource, SchemaElement } from "hyparquet-writer";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { Signal } from "../core/record.ts";
import type { ParquetColumn, ParquetType, ParquetValue } from "./parquet-columns.ts";
import { PARQUET_COLUMNS } from "./parquet-columns.ts";
import type { Row } from "./row.ts";
import { parseRows } from "./row.ts";

/** Rows of one group: what DuckDB and pyarrow read at a time, and what is held in memory. */
const GROUP_ROWS_MAX = 65_536;

/** Bytes of JSON that one group is made of, where rows are large; a chunk of input may go past it. */
const GROUP_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Turns the lines of an answer, entries of `table`, into one Parquet file (zstd, pages of version 2).
 *
 * Shape:  `lines` gives JSON Lines, whole lines in each chunk; yields the file's bytes, a group of
 *         rows at a time, and the footer last. Without the footer no reader takes it for a file.
 * Cost:   one group of rows in memory: `GROUP_ROWS_MAX` rows of some `GROUP_BYTES_MAX`; and a few kB
 *         a group, kept for the footer.
 * Errors: those of `lines`, passed on before the footer.
 * Source: https://parquet.apache.org/docs/file-format/
 */
export async function* exportParquet(
  lines: AsyncIterable<Uint8Array>,
  table: Signal,
): AsyncGenerator<Uint8Array, void> {
  const file = new ParquetFile(PARQUET_COLUMNS[table]);
  let groupBytes = 0;
  for await (const chunk of lines) {
    groupBytes += chunk.length;
    for (const row of parseRows(chunk)) {
      file.add(row);
      if (file.groupRowCount < GROUP_ROWS_MAX) continue;
      yield file.endGroup();
      groupBytes = 0;
    }
    if (groupBytes < GROUP_BYTES_MAX || file.groupRowCount === 0) continue;
    yield file.endGroup();
    groupBytes = 0;
  }
  if (file.groupRowCount > 0) yield file.endGroup();
  yield file.end();
}

/** A Parquet file on its way out: rows go in, its bytes come out a group at a time. */
class ParquetFile {
  readonly #columns: readonly ParquetColumn[];
  readonly #bytes = new ByteWriter();
  readonly #writer: ParquetWriter;
  /** Of the group that is being gathered, a list a column. */
  #values: readonly ParquetValue[][];

  constructor(columns: readonly ParquetColumn[]) {
    this.#columns = columns;
    this.#values = columns.map(() => []);
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: schemaOf(columns),
      codec: "ZSTD",
      compressors: { ZSTD: (page) => zstdCompressSync(page) },
      createdBy: "dora",
    });
  }

  get groupRowCount(): number {
    return this.#values[0]?.length ?? 0;
  }

  add(row: Row): void {
    for (const [index, { read }] of this.#columns.entries()) this.#values[index]?.push(read(row));
  }

  /** The bytes of the rows since the last group. */
  endGroup(): Uint8Array {
    const columnData = this.#columns.map((column, index) => toSource(column, this.#values[index]));
    void this.#writer.write({ columnData, rowGroupSize: this.groupRowCount });
    this.#values = this.#columns.map(() => []);
    return this.#take();
  }

  /** The footer. */
  end(): Uint8Array {
    void this.#writer.finish();
    return this.#take();
  }

  /** What was written since the last time; the writer's `offset` goes on counting. */
  #take(): Uint8Array {
    const bytes = this.#bytes.getBytes().slice();
    this.#bytes.index = 0;
    return bytes;
  }
}

/** Every column may be null: an entry of another version of dora may lack a key. */
function schemaOf(columns: readonly ParquetColumn[]): SchemaElement[] {
  return [
    { name: "entry", num_children: columns.length },
    ...columns.map(({ name, type }): SchemaElement => {
      return { name, repetition_type: "OPTIONAL", ...TYPES[type] };
    }),
  ];
}

const TYPES: { readonly [type in ParquetType]: Omit<SchemaElement, "name"> } = {
  text: { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } },
  time: {
    type: "INT64",
    logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "NANOS" },
  },
  int32: { type: "INT32" },
  int64: { type: "INT64" },
  double: { type: "DOUBLE" },
  boolean: { type: "BOOLEAN" },
};

function toSource({ name, type, isAscending }: ParquetColumn, data: ParquetValue[]): ColumnSource {
  return {
    name,
    data,
    ...(isAscending === true ? { encoding: "DELTA_BINARY_PACKED" } : {}),
    // The least and the greatest of each group stay in memory for the footer, and a text may have
    // megabytes. In rows ordered by time they would tell no group from another.
    statistics: type !== "text",
  };
}
