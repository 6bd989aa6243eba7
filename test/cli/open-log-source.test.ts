import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, Server } from "node:http";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import type { LogSource } from "../../src/cli/log-source.ts";
import type { LogSourceOptions } from "../../src/cli/open-log-source.ts";
import { openLogSource } from "../../src/cli/open-log-source.ts";
import { systemClock } from "../../src/core/clock.ts";
import { EmbeddedStore } from "../../src/log-store/embedded-store.ts";

let root: string;
let server: Server;
let serverUrl: string;
let notes: string[];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "dora-source-"));
  notes = [];
  server = createServer((_request, response) => response.end("{}"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = z.object({ port: z.number() }).parse(server.address());
  serverUrl = `http://127.0.0.1:${port}`;
});
afterEach(() => {
  stopServer();
  rmSync(root, { recursive: true });
});

function stopServer(): void {
  server.close();
  server.closeAllConnections();
}

function open(options: Partial<LogSourceOptions>): Promise<LogSource> {
  const onFallback = (message: string): void => void notes.push(message);
  const environment = { DORA_API: new URL(serverUrl).host, ...options.environment };
  return openLogSource({ onFallback, ...options, environment }, new AbortController().signal);
}

async function nameOf(options: Partial<LogSourceOptions>): Promise<string> {
  const source = await open(options);
  await source.close();
  return source.name;
}

async function createStore(name: string): Promise<string> {
  const directory = join(root, name);
  const store = await EmbeddedStore.open({ directory, clock: systemClock });
  await store.close();
  return directory;
}

describe("without flags", () => {
  test("the service at its usual address answers", async () => {
    expect(await nameOf({})).toBe(`the service at ${serverUrl}`);
    expect(notes).toEqual([]);
  });

  test("the usual folder answers where nothing listens, and that is said", async () => {
    stopServer();
    const dataHome = join(root, "home");
    mkdirSync(dataHome);
    const directory = await createStore("home/dora");
    expect(await nameOf({ environment: { XDG_DATA_HOME: dataHome } })).toBe(
      `the folder ${directory}`,
    );
    expect(notes).toEqual([`no service listens at ${serverUrl}: reading the folder ${directory}`]);
  });

  test("DORA_DATA_DIR names that folder", async () => {
    stopServer();
    const directory = await createStore("elsewhere");
    expect(await nameOf({ environment: { DORA_DATA_DIR: directory } })).toContain(directory);
  });

  test("neither service nor folder is an error that says so", async () => {
    stopServer();
    const environment = { DORA_DATA_DIR: join(root, "missing") };
    await expect(open({ environment })).rejects.toMatchObject({ code: "SERVICE_UNREACHABLE" });
  });
});

describe("an address", () => {
  test("of a flag goes before that of DORA_URL", async () => {
    const environment = { DORA_URL: "http://192.0.2.1:1" };
    expect(await nameOf({ environment })).toBe("the service at http://192.0.2.1:1");
    expect(await nameOf({ environment, url: serverUrl })).toBe(`the service at ${serverUrl}`);
  });

  test("may leave http:// out, and anything but HTTP is refused", async () => {
    expect(await nameOf({ url: "localhost:6014" })).toBe("the service at http://localhost:6014");
    await expect(open({ url: "ftp://x" })).rejects.toMatchObject({ code: "USAGE" });
    await expect(open({ url: "http://" })).rejects.toMatchObject({ code: "USAGE" });
  });

  test("and a folder exclude each other", async () => {
    await expect(open({ url: serverUrl, dataDir: root })).rejects.toMatchObject({ code: "USAGE" });
  });
});

describe("a folder that is open elsewhere", () => {
  test("is answered by the service that says so in it", async () => {
    const directory = join(root, "busy");
    const store = await EmbeddedStore.open({ directory, clock: systemClock });
    writeFileSync(join(directory, "service.json"), JSON.stringify({ pid: 1, api: serverUrl }));
    expect(await nameOf({ dataDir: directory })).toBe(`the service at ${serverUrl}`);
    await store.close();
  });

  test.each(["", "{", "[]", '{"pid":1,"api":null}'])(
    "is in use where no service is named: %j",
    async (content) => {
      const directory = join(root, "busy");
      const store = await EmbeddedStore.open({ directory, clock: systemClock });
      writeFileSync(join(directory, "service.json"), content);
      await expect(open({ dataDir: directory })).rejects.toMatchObject({ code: "STORE_IN_USE" });
      await store.close();
    },
  );
});

describe("a token file", () => {
  async function authorization(content: string): Promise<string | undefined> {
    const tokenFile = join(root, "tokens");
    writeFileSync(tokenFile, content);
    const source = await open({ url: serverUrl, tokenFile });
    const header = new Promise<string | undefined>((resolve) => {
      server.once("request", ({ headers }: IncomingMessage) => resolve(headers.authorization));
    });
    await source.readTrace("ab".repeat(16), new AbortController().signal);
    return header;
  }

  test("gives its first token, with or without a name (SEC-002)", async () => {
    expect(await authorization("secret\nother\n")).toBe("Bearer secret");
    expect(await authorization("# comment\n\n  ops: secret  \n")).toBe("Bearer secret");
    expect(await authorization("a:b\n")).toBe("Bearer a:b");
  });

  test("without a token, or one that is not there, is refused", async () => {
    await expect(authorization("# none\n")).rejects.toMatchObject({ code: "USAGE" });
    const tokenFile = join(root, "missing");
    await expect(open({ url: serverUrl, tokenFile })).rejects.toMatchObject({ code: "USAGE" });
  });
});

test("a redirect is not followed: it would carry the token elsewhere", async () => {
  server.removeAllListeners("request");
  const paths: (string | undefined)[] = [];
  server.on("request", (request, response) => {
    paths.push(request.url);
    response.writeHead(302, { location: "/stolen" }).end();
  });
  const source = await open({ url: serverUrl });
  const trace = source.readTrace("ab".repeat(16), new AbortController().signal);
  await expect(trace).rejects.toMatchObject({ code: "SERVICE_UNREACHABLE" });
  expect(paths).toHaveLength(1);
});
