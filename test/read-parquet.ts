/**
 * Reads Parquet files with DuckDB, a reader that shares no code with our writer.
 *
 * Example:
 *     await readParquet(path, "select count(*) as count from file");
 */
import { DuckDBInstance } from "@duckdb/node-api";
import type { Json } from "@duckdb/node-api";

export type ParquetRow = Readonly<Record<string, Json>>;

/** The rows of a query over the file, which it calls `file`; 64-bit numbers and times are texts. */
export async function readParquet(path: string, sql: string): Promise<readonly ParquetRow[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    await connection.run("set TimeZone = 'UTC'");
    const source = `read_parquet('${path.replaceAll("'", "''")}')`;
    const withFile = `with file as (select * from ${source}) ${sql}`;
    return (await connection.runAndReadAll(withFile)).getRowObjectsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
