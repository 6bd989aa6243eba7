/** Finds in a load what the queries look for. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import type { Needles } from "./query-classes.ts";

const Row = z.object({ body: z.string(), trace_id: z.string() });

/** A request's id whose first group mixes letters and digits, so that it is a word of its own. */
const REQUEST = /\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8}-[0-9a-f]{4}(?=-4)/;

/** Takes the needles from the middle of the table, the first row that has each. */
export async function findNeedles(tableFile: string, recordCount: number): Promise<Needles> {
  const from = Math.floor(recordCount / 2);
  let traceId = "";
  let block = "";
  let order = "";
  let request = "";
  let position = 0;
  const lines = createInterface({ input: createReadStream(tableFile) });
  for await (const line of lines) {
    if (position++ < from) continue;
    const row = Row.parse(JSON.parse(line));
    traceId ||= row.trace_id;
    block ||= /blk_\d+/.exec(row.body)?.[0] ?? "";
    order ||= /order (\d{7}) confirmed/.exec(row.body)?.[1] ?? "";
    request ||= REQUEST.exec(row.body)?.[0] ?? "";
    if (![traceId, block, order, request].includes("")) break;
  }
  lines.close();
  return { traceId, block, digits: block.slice(-7, -1), order, request };
}
