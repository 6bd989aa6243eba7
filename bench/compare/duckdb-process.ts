/** DuckDB in a process of its own, so that its CPU time and memory are its own: see `LineProcess`. */
import { createInterface } from "node:readline";
import { z } from "zod";
import { DuckDbPeer } from "../duckdb-peer.ts";
import type { QueryClass } from "../query-classes.ts";

const Request = z.discriminatedUnion("do", [
  z.object({ do: z.literal("version") }),
  z.object({ do: z.literal("load"), table_file: z.string(), directory: z.string() }),
  z.object({ do: z.literal("ask"), sql: z.string() }),
  z.object({
    do: z.literal("answer"),
    sql: z.string(),
    compare: z.enum(["count", "times", "groups", "exported"]),
  }),
  z.object({ do: z.literal("disk") }),
]);

let peer: DuckDbPeer | undefined;

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await handle(Request.parse(JSON.parse(line))).catch((error: unknown) => ({
    error: String(error),
  }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
peer?.close();

async function handle(request: z.infer<typeof Request>): Promise<object> {
  switch (request.do) {
    case "version":
      return { version: DuckDbPeer.version };
    case "load":
      return measure(async () => {
        peer = await DuckDbPeer.load(request.table_file, request.directory);
      });
    case "ask":
      return measure(() => loaded().ask(request.sql));
    case "answer": {
      // All that reading an answer looks at is how answers are compared.
      const question: QueryClass = {
        name: "",
        ours: { route: "count", query: "" },
        sql: request.sql,
        compare: request.compare,
      };
      return { answer: loaded().readAnswer(question, await loaded().ask(request.sql)) };
    }
    case "disk":
      return { disk_bytes: loaded().diskBytes };
  }
}

async function measure(run: () => Promise<unknown>): Promise<object> {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  await run();
  const wallMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(before);
  return { wall_ms: wallMs, cpu_ms: (user + system) / 1000 };
}

function loaded(): DuckDbPeer {
  if (peer === undefined) throw new Error("nothing is loaded yet");
  return peer;
}
