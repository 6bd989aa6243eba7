/** `dora logs FLOW NODE`, and what comes before it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CliResult } from "../cli-process.ts";
import { runCli, sendLogs } from "../cli-process.ts";
import type { ServeProcess } from "../serve-process.ts";
import { startServe } from "../serve-process.ts";

const ID = "01a20777-5e5e-799a-9827-339be3fd5e0d";
const root = mkdtempSync(join(tmpdir(), "dora-logs-place-"));
let service: ServeProcess;

beforeAll(async () => {
  service = await startServe({ dataDirectory: join(root, "store") });
  const of = (dataflow: string, node: string) => ({
    dataflow,
    node,
    message: `${dataflow} ${node}`,
  });
  await sendLogs(service.otlpHttp, [
    of(ID, "camera"),
    of("robot", "camera"),
    of("robot", "arm"),
    of("query", "camera"),
  ]);
});

afterAll(async () => {
  await service.close();
  rmSync(root, { recursive: true });
});

async function logs(
  ...words: readonly string[]
): Promise<CliResult & { messages: readonly string[] }> {
  const result = await runCli(["logs", ...words, "--url", service.api]);
  const lines = result.stdout.split("\n").filter((line) => !line.includes("dora-serve"));
  const messages = lines.flatMap((line) => line.split("] ")[3] ?? []);
  return { ...result, messages };
}

test("a dataflow, and a node of it, may be named without flags, as in dora-rs", async () => {
  expect((await logs("robot")).messages).toEqual(["robot camera", "robot arm"]);
  expect((await logs("robot", "arm")).messages).toEqual(["robot arm"]);
  expect((await logs("robot", "--level", "error")).messages).toEqual([]);
});

test("the start of a dataflow's id will do", async () => {
  expect((await logs("01a20777")).messages).toEqual([`${ID} camera`]);
  expect((await logs("--dataflow", "01A20777-5e5e")).messages).toEqual([`${ID} camera`]);
  expect((await logs("01a20778")).messages).toEqual([]);
});

test("a subcommand comes before a dataflow of that name, which --dataflow names", async () => {
  expect((await logs("query", "robot arm")).messages).toEqual(["robot arm"]);
  expect((await logs("--dataflow", "query")).messages).toEqual(["query camera"]);
});

test("a slip in a subcommand's name, taken for a dataflow, is noticed", async () => {
  const { code, stderr } = await logs("tial");
  expect(code).toBe(0);
  expect(stderr).toBe('no record of a dataflow "tial" matches, did you mean `tail`?\n');
});

test("a place that is named twice is refused", async () => {
  const flow = await logs("robot", "--dataflow", "robot");
  expect(flow).toMatchObject({ code: 2, stdout: "" });
  expect(flow.stderr).toContain('"robot" and --dataflow robot: give one of them');
  expect((await logs("robot", "arm", "--node", "camera")).code).toBe(2);
});
