/** DuckDB, asked in SQL inside its own process. */
import { fileURLToPath } from "node:url";
import type { QueryClass } from "../query-classes.ts";
import { Answer, Disk, LineProcess, Measured, Version } from "./child-process.ts";
import type { Contestant, LoadFigure, Setting, Usage } from "./contestant.ts";

const PROGRAM = fileURLToPath(new URL("duckdb-process.ts", import.meta.url));

export class DuckDb implements Contestant {
  readonly name = "duckdb";
  readonly route = "embedded, SQL";
  readonly version: string;
  readonly #process: LineProcess;
  readonly #setting: Setting;

  private constructor(lines: LineProcess, version: string, setting: Setting) {
    this.#process = lines;
    this.version = version;
    this.#setting = setting;
  }

  static async start(setting: Setting): Promise<DuckDb> {
    const lines = new LineProcess(process.execPath, [PROGRAM]);
    const { version } = await lines.call({ do: "version" }, Version);
    return new DuckDb(lines, `DuckDB ${version}`, setting);
  }

  get pid(): number {
    return this.#process.pid;
  }

  async load(): Promise<readonly LoadFigure[]> {
    const { recordCount, tableFile, directory } = this.#setting;
    const request = { do: "load", table_file: tableFile, directory };
    const { wall_ms: wallMs, cpu_ms: cpuMs } = await this.#process.call(request, Measured);
    const how = "from one file of JSON, one sync at the end";
    return [{ how, rows: recordCount, wallSeconds: wallMs / 1000, cpuSeconds: cpuMs / 1000 }];
  }

  formsOf({ sql }: QueryClass): readonly string[] {
    return [sql];
  }

  async ask(_question: QueryClass, sql: string): Promise<Usage> {
    const { wall_ms: wallMs, cpu_ms: cpuMs } = await this.#process.call(
      { do: "ask", sql },
      Measured,
    );
    return { wallMs, cpuMs };
  }

  async answer({ compare }: QueryClass, sql: string): Promise<readonly string[]> {
    return (await this.#process.call({ do: "answer", sql, compare }, Answer)).answer;
  }

  async diskBytes(): Promise<number> {
    return (await this.#process.call({ do: "disk" }, Disk)).disk_bytes;
  }

  close(): Promise<void> {
    return this.#process.close();
  }
}
