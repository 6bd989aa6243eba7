/** DuckDB in this process, with a load's rows in one table. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance, type DuckDBConnection, version } from "@duckdb/node-api";
import type { QueryClass } from "./query-classes.ts";

/** A table and its columns, as `read_json` takes them. */
export interface PeerTable {
  readonly name: string;
  readonly columns: string;
}

const LOGS: PeerTable = {
  name: "logs",
  columns: `{
  time_unix_ns: 'BIGINT', severity_number: 'UTINYINT', severity_text: 'VARCHAR', node: 'VARCHAR',
  host: 'VARCHAR', logger: 'VARCHAR', body: 'VARCHAR', trace_id: 'VARCHAR', span_id: 'VARCHAR',
  attributes: 'JSON'
}`,
};

export class DuckDbPeer {
  readonly #connection: DuckDBConnection;
  readonly #databaseFile: string;
  readonly #exportFile: string;

  private constructor(connection: DuckDBConnection, directory: string, table: PeerTable) {
    this.#connection = connection;
    this.#databaseFile = databaseIn(directory, table);
    this.#exportFile = join(directory, "export.json");
  }

  /** Loads a table of NDJSON into a database in `directory`. */
  static async load(tableFile: string, directory: string, table = LOGS): Promise<DuckDbPeer> {
    const instance = await DuckDBInstance.create(databaseIn(directory, table));
    const connection = await instance.connect();
    await connection.run(
      `CREATE TABLE ${table.name} AS SELECT * FROM read_json('${tableFile}', format = 'newline_delimited', columns = ${table.columns})`,
    );
    await connection.run("CHECKPOINT");
    return new DuckDbPeer(connection, directory, table);
  }

  static get version(): string {
    return version();
  }

  get diskBytes(): number {
    return statSync(this.#databaseFile).size;
  }

  /** Runs the query to its last row. */
  async ask(sql: string): Promise<readonly (readonly unknown[])[]> {
    const text = sql.replace("$EXPORT", this.#exportFile);
    return (await this.#connection.runAndReadAll(text)).getRows();
  }

  /** The answer to compare with ours. */
  readAnswer({ compare }: QueryClass, rows: readonly (readonly unknown[])[]): readonly string[] {
    switch (compare) {
      case "count":
        return [String(rows[0]?.[0])];
      case "times":
        return rows.map((row) => String(row[0]));
      case "groups":
        return rows.map((row) => row.map(String).join(" ")).sort();
      case "exported":
        return readFileSync(this.#exportFile, "utf8")
          .trimEnd()
          .split("\n")
          .map((line) => /"time_unix_ns":(\d+)/.exec(line)?.[1] ?? line);
    }
  }

  close(): void {
    this.#connection.closeSync();
  }
}

function databaseIn(directory: string, { name }: PeerTable): string {
  return join(directory, `${name}.duckdb`);
}
