import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { runCli } from "../cli-process.ts";

const folder = mkdtempSync(join(tmpdir(), "dora-doctor-"));
afterAll(() => rmSync(folder, { recursive: true }));

const Answer = z.object({
  checks: z.array(
    z.object({
      check: z.string(),
      status: z.string(),
      found: z.string(),
      fix: z.string().optional(),
    }),
  ),
});

async function listen(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return { server, port: typeof address === "object" && address !== null ? address.port : 0 };
}

/** Ports that nobody has, and folders of its own. */
async function ownEnvironment() {
  const ports: number[] = [];
  for (let count = 0; count < 4; count++) {
    const { server, port } = await listen();
    server.close();
    await once(server, "close");
    ports.push(port);
  }
  const [api = 0, grpc = 0, http = 0, coordinator = 0] = ports;
  return {
    DORA_STATE_DIR: join(folder, "state"),
    DORA_DATA_DIR: join(folder, "data"),
    DORA_API: `127.0.0.1:${api}`,
    DORA_OTLP_GRPC: `127.0.0.1:${grpc}`,
    DORA_OTLP_HTTP: `127.0.0.1:${http}`,
    DORA_COORDINATOR: `http://127.0.0.1:${coordinator}`,
  };
}

test("on a machine where nothing runs nothing fails, and nothing is changed", async () => {
  const { code, stdout, stderr } = await runCli(["doctor"], { env: await ownEnvironment() });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^\| Check +\| Status +\| Found +\|$/m);
  expect(stdout).toMatch(/^\| coordinator +\| skipped \| does not run +\|$/m);
  expect(stdout).toContain("💡 coordinator: `dora up` starts it\n");
  expect(readdirSync(folder)).toEqual([]);
});

test("a port that another program has is named with it, exit 1, as JSON and YAML too", async () => {
  const { server, port } = await listen();
  onTestFinished(() => void server.close());
  const env = { ...(await ownEnvironment()), DORA_OTLP_HTTP: `127.0.0.1:${port}` };
  const json = await runCli(["doctor", "--output", "json"], { env });
  const yaml = await runCli(["doctor", "--output", "yaml"], { env });
  expect([json.code, yaml.code]).toEqual([1, 1]);
  const { checks } = Answer.parse(JSON.parse(json.stdout));
  expect(checks.filter(({ status }) => status === "failed")).toEqual([
    {
      check: `port ${port} (OTLP/HTTP)`,
      status: "failed",
      found: expect.stringMatching(
        new RegExp(String.raw`^taken by \S.* \(pid ${process.pid}\)$`),
      ) as unknown,
      fix: "stop that program, or set DORA_OTLP_HTTP to another address",
    },
  ]);
  const fromYaml = Answer.parse(parse(yaml.stdout)).checks.map(({ check }) => check);
  expect(fromYaml).toEqual(checks.map(({ check }) => check));
});

test("something else at the coordinator's address, or on its way to nowhere, fails", async () => {
  const { server, port } = await listen();
  onTestFinished(() => void server.close());
  const env = { ...(await ownEnvironment()), DORA_COORDINATOR: `http://127.0.0.1:${port}` };
  const { code, stdout } = await runCli(["doctor"], { env });
  expect(code).toBe(1);
  expect(stdout).toMatch(/^\| coordinator +\| failed +\| what answers at .* is none, or hangs/m);
});

test("what a dataflow names is looked at, and what it does not name is not", async () => {
  const env = await ownEnvironment();
  const file = join(folder, "flow.yml");
  const endpoint = env.DORA_COORDINATOR.replace("http", "redis");
  writeFileSync(
    file,
    `nodes:
  - { id: a, path: a.js, outputs: [x] }
  - { id: b, path: b.js, inputs: { x: { source: a/x, transport: { kind: redis, endpoint: "${endpoint}" } } } }
`,
  );
  onTestFinished(() => rmSync(file));
  const { code, stdout } = await runCli(["doctor", file], { env });
  expect(code).toBe(1);
  expect(stdout).toMatch(/^\| dataflow file +\| ok /m);
  expect(stdout).toMatch(/^\| redis +\| failed +\| redis:.*: nothing listens there/m);
  expect(stdout).not.toMatch(/^\| (mqtt|Python) /m);
  writeFileSync(file, "nodes: []");
  const broken = await runCli(["doctor", file], { env });
  expect(broken.code).toBe(1);
  expect(broken.stdout).toMatch(/^\| dataflow file +\| failed +\| .* has 1 problem +\|$/m);
});

test("--explain says what a message means, and looks at nothing", async () => {
  const known = await runCli(["doctor", "--explain", "listen EADDRINUSE 127.0.0.1:6014"]);
  expect(known.code).toBe(0);
  expect(known.stdout).toMatch(/^another program listens on the port\n💡 `dora doctor` names it/);
  const json = await runCli(["doctor", "--explain", "ENOSPC", "--output", "json"]);
  expect(JSON.parse(json.stdout)).toMatchObject({ cause: "the disk is full" });
  const unknown = await runCli(["doctor", "--explain", "zzz"]);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toMatch(/^no explanation is known for this text\nhint: /);
});
