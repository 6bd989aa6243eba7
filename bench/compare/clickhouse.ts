/** ClickHouse, embedded (chdb), asked in SQL inside its own process: `clickhouse_peer.py`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { PARTS_DIRECTORY } from "../../scripts/parts/part.ts";
import type { QueryClass } from "../query-classes.ts";
import { Answer, Disk, LineProcess, Measured, Version } from "./child-process.ts";
import { clickHouseForms } from "./clickhouse-sql.ts";
import {
  type Contestant,
  type LoadFigure,
  NotInstalledError,
  type Setting,
  type Usage,
} from "./contestant.ts";

const PROGRAM = fileURLToPath(new URL("clickhouse_peer.py", import.meta.url));
const PYTHON = join(PARTS_DIRECTORY, "clickhouse", "bin", "python");

/** As many rows as a request of the load has; a few hundred blocks are enough to know the rate. */
const DURABLE_BLOCK_ROWS = 2_000;
const DURABLE_BLOCKS_MAX = 200;

const DurablyMeasured = z.object({ ...Measured.shape, rows: z.number() });

export class ClickHouse implements Contestant {
  readonly name = "clickhouse";
  readonly route = "embedded, SQL";
  readonly version: string;
  readonly #process: LineProcess;
  readonly #setting: Setting;

  private constructor(lines: LineProcess, version: string, setting: Setting) {
    this.#process = lines;
    this.version = version;
    this.#setting = setting;
  }

  static async start(setting: Setting): Promise<ClickHouse> {
    if (!existsSync(PYTHON)) {
      throw new NotInstalledError("`node bench/compare/build-clickhouse.ts` installs it");
    }
    const lines = new LineProcess(PYTHON, [PROGRAM, setting.directory]);
    const { version } = await lines.call({ do: "version" }, Version);
    return new ClickHouse(lines, `ClickHouse ${version} (chdb)`, setting);
  }

  get pid(): number {
    return this.#process.pid;
  }

  async load(): Promise<readonly LoadFigure[]> {
    const { recordCount, tableFile } = this.#setting;
    const request = { table_file: tableFile, blocks: DURABLE_BLOCKS_MAX, rows: DURABLE_BLOCK_ROWS };
    const durable = await this.#process.call({ do: "load_durably", ...request }, DurablyMeasured);
    const all = await this.#process.call({ do: "load", table_file: tableFile }, Measured);
    return [
      {
        how: `JSON in blocks of ${DURABLE_BLOCK_ROWS}, each synced, not yet merged`,
        rows: durable.rows,
        wallSeconds: durable.wall_ms / 1000,
        cpuSeconds: durable.cpu_ms / 1000,
      },
      {
        how: "from one file of JSON, merged into one part",
        rows: recordCount,
        wallSeconds: all.wall_ms / 1000,
        cpuSeconds: all.cpu_ms / 1000,
      },
    ];
  }

  formsOf(question: QueryClass): readonly string[] {
    return clickHouseForms(question);
  }

  async ask(_question: QueryClass, sql: string): Promise<Usage> {
    const { wall_ms: wallMs, cpu_ms: cpuMs } = await this.#process.call(
      { do: "ask", sql },
      Measured,
    );
    return { wallMs, cpuMs };
  }

  async answer({ compare }: QueryClass, sql: string): Promise<readonly string[]> {
    const { answer } = await this.#process.call({ do: "answer", sql, compare }, Answer);
    return compare === "groups" ? answer.toSorted() : answer;
  }

  async diskBytes(): Promise<number> {
    return (await this.#process.call({ do: "disk" }, Disk)).disk_bytes;
  }

  close(): Promise<void> {
    return this.#process.close();
  }
}
