/**
 * Load files, so that every run and every peer is given the same bytes.
 *
 * `logs-2m.otlp`:   | length u32, little-endian | ExportLogsServiceRequest, length bytes | ...
 * `logs-2m.ndjson`: one JSON object a record, for the peers that take tables.
 */
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateLoad, type LoadOptions, type LoadRow } from "./load.ts";

export interface LoadFiles {
  readonly otlp: string;
  readonly table: string;
}

const DATA_DIRECTORY = fileURLToPath(new URL("data", import.meta.url));
const READ_CHUNK_BYTES = 4 * 1024 * 1024;

/** Gives the files of a load, and writes them first where they are not there. */
export function openLoadFiles(options: LoadOptions): Promise<LoadFiles> {
  const name = `logs-${nameOfCount(options.recordCount)}-seed${options.seed}`;
  return openFiles(name, () => generateLoad(options), toTableLine);
}

/** A request of any signal, and its records as the tables of the peers hold them. */
interface RequestWithRows<Row> {
  readonly body: Uint8Array;
  readonly rows: readonly Row[];
}

/** The same for any load: `name` stands for all that shapes it. */
export async function openFiles<Row>(
  name: string,
  generate: () => Iterable<RequestWithRows<Row>>,
  toLine: (row: Row) => string,
): Promise<LoadFiles> {
  const otlp = join(DATA_DIRECTORY, `${name}.otlp`);
  const table = join(DATA_DIRECTORY, `${name}.ndjson`);
  if (!existsSync(otlp) || !existsSync(table))
    await writeFiles({ otlp, table }, generate(), toLine);
  return { otlp, table };
}

async function writeFiles<Row>(
  files: LoadFiles,
  requests: Iterable<RequestWithRows<Row>>,
  toLine: (row: Row) => string,
): Promise<void> {
  mkdirSync(DATA_DIRECTORY, { recursive: true });
  const otlp = createWriteStream(`${files.otlp}.part`);
  const table = createWriteStream(`${files.table}.part`);
  for (const request of requests) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(request.body.length);
    otlp.write(length);
    if (!otlp.write(request.body)) await once(otlp, "drain");
    if (!table.write(request.rows.map(toLine).join(""))) await once(table, "drain");
  }
  otlp.end();
  table.end();
  await Promise.all([once(otlp, "finish"), once(table, "finish")]);
  renameSync(`${files.otlp}.part`, files.otlp);
  renameSync(`${files.table}.part`, files.table);
}

/** Yields the requests of a file, in order. */
export async function* readRequests(file: string): AsyncGenerator<Uint8Array, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { highWaterMark: READ_CHUNK_BYTES })) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError("a file gives bytes");
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32LE(0)) {
      const end = 4 + rest.readUInt32LE(0);
      yield rest.subarray(4, end);
      rest = rest.subarray(end);
    }
  }
  if (rest.length > 0) throw new Error(`${file} ends inside a request: write it again`);
}

function toTableLine(row: LoadRow): string {
  const record = {
    time_unix_ns: row.timeUnixNs.toString(),
    severity_number: row.severityNumber,
    severity_text: row.severityText,
    node: row.node,
    host: row.host,
    logger: row.logger,
    body: row.body,
    trace_id: row.traceId,
    span_id: row.spanId,
    attributes: Object.fromEntries(row.attributes),
  };
  return `${JSON.stringify(record)}\n`;
}

function nameOfCount(count: number): string {
  return count % 1_000_000 === 0 ? `${count / 1_000_000}m` : String(count);
}
