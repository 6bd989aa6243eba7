import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { TokenAuthenticator } from "../../src/collector/authentication.ts";
import type { FollowBatch, FollowRequest, LogStore } from "../../src/log-store/log-store.ts";
import { appendLogs, openStore, temporaryFolder } from "../log-store/store-user.ts";
import { batchOf, logEntry, refusal, scriptedStore, startApi } from "./scripted-store.ts";

const FRAME = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("entries"),
    entries: z.array(z.object({ message: z.string() })),
  }),
  z.strictObject({ type: z.literal("missed"), count: z.number() }),
  z.strictObject({ type: z.literal("error"), error: z.looseObject({ code: z.string() }) }),
]);

/** A client of live search that keeps what it is told, in short. */
class Client {
  readonly told: string[] = [];
  readonly socket: WebSocket;

  constructor(url: string, parameters = "", headers: Readonly<Record<string, string>> = {}) {
    const address = `${url.replace("http", "ws")}/api/v1/logs/live${parameters}`;
    this.socket = new WebSocket(address, { headers: { ...headers }, perMessageDeflate: true });
    this.socket.on("error", () => {});
    this.socket.on("message", (data: Buffer, isBinary) => {
      expect(isBinary).toBe(false);
      const frame = FRAME.parse(JSON.parse(data.toString()));
      if (frame.type === "entries") this.told.push(...frame.entries.map(({ message }) => message));
      else if (frame.type === "missed") this.told.push(`missed ${frame.count}`);
      else this.told.push(`error ${frame.error.code}`);
    });
    onTestFinished(() => this.socket.terminate());
  }

  async opened(): Promise<this> {
    await once(this.socket, "open");
    return this;
  }

  async closed(): Promise<number> {
    return new Promise((resolve) => this.socket.once("close", resolve));
  }

  /** The answer of a service that refuses the upgrade. */
  async refused(): ReturnType<typeof refusal> {
    return new Promise((resolve, reject) => {
      this.socket.once("open", () => reject(new Error("the upgrade was not refused")));
      this.socket.once("unexpected-response", (_request, response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => {
          const status = response.statusCode ?? 0;
          resolve(refusal(new Response(Buffer.concat(parts), { status })));
        });
      });
    });
  }
}

/** A follow whose batches the test hands out, and which notes how it was asked and left. */
function handedOut(): {
  readonly follow: LogStore["follow"];
  readonly requests: FollowRequest[];
  readonly seen: { taken: number; leftCount: number };
  readonly give: (batch: FollowBatch) => void;
} {
  const waiting: FollowBatch[] = [];
  const requests: FollowRequest[] = [];
  const seen = { taken: 0, leftCount: 0 };
  const sleepers = new Set<() => void>();
  const wakeAll = (): void => {
    for (const wake of sleepers) wake();
    sleepers.clear();
  };
  const follow: LogStore["follow"] = async function* (request, signal) {
    requests.push(request);
    signal.addEventListener("abort", wakeAll);
    try {
      while (!signal.aborted) {
        const batch = waiting.shift();
        if (batch === undefined) {
          await new Promise<void>((resolve) => sleepers.add(resolve));
        } else {
          seen.taken++;
          yield batch;
        }
      }
    } finally {
      seen.leftCount++;
    }
  };
  const give = (batch: FollowBatch): void => {
    waiting.push(batch);
    wakeAll();
  };
  return { follow, requests, seen, give };
}

/** Whether a number is what it was when this was last asked. */
function standsStill(read: () => number): () => boolean {
  let last = -1;
  return () => {
    const isStill = read() === last;
    last = read();
    return isStill;
  };
}

function entriesBatch(message: string, count = 1, missed = 0): FollowBatch {
  const entries = Array.from({ length: count }, (_, seq) => logEntry({ seq, message }));
  return { lines: batchOf(entries).lines, count, missed };
}

describe("following", () => {
  test("gives the backlog, then each match as it is committed, none twice", async () => {
    const store = await openStore(temporaryFolder());
    const { url } = await startApi(onTestFinished, { store });
    const warn = (body: string) => ({ severityNumber: 13, severityText: "WARN", body });
    await appendLogs(store, [warn("one"), { body: "quiet" }, warn("two"), warn("three")]);
    const client = new Client(url, "?query=level>=warn&backlog=2");
    await client.opened();
    await expect.poll(() => client.told).toEqual(["two", "three"]);
    await appendLogs(store, [{ body: "quiet" }, warn("four\nlines")]);
    await appendLogs(store, [warn("five"), warn("six")]);
    await expect.poll(() => client.told).toHaveLength(5);
    expect(client.told.slice(2)).toEqual(["four\nlines", "five", "six"]);
  });

  test("asks for no backlog unless it is wanted", async () => {
    const { follow, requests } = handedOut();
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ follow }) });
    await new Client(url).opened();
    await expect.poll(() => requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ signal: "logs", filter: { kind: "all" }, backlog: 0 });
  });

  test("tells what was missed behind what fitted before it", async () => {
    const { follow, give } = handedOut();
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ follow }) });
    const client = await new Client(url).opened();
    give(entriesBatch("before", 1, 7));
    give(entriesBatch("after"));
    give({ lines: new Uint8Array(), count: 0, missed: 2 });
    await expect.poll(() => client.told).toEqual(["before", "missed 7", "after", "missed 2"]);
  });

  test("a client that does not read holds the store back, and gets all it took in the end (SEC-007)", async () => {
    const { follow, seen, give } = handedOut();
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ follow }) });
    const client = await new Client(url).opened();
    client.socket.pause();
    const batch = entriesBatch("x".repeat(10_000), 100);
    for (let count = 0; count < 100; count++) give(batch);
    await expect
      .poll(
        standsStill(() => seen.taken),
        { interval: 100 },
      )
      .toBe(true);
    expect(seen.taken).toBeLessThan(50);
    client.socket.resume();
    await expect.poll(() => client.told.length).toBe(10_000);
  });

  test("a slow reader of a real store is told how many it missed, and no other is lost", async () => {
    const store = await openStore(temporaryFolder());
    const limits = { liveBufferBytesMax: 64 * 1024 };
    const { url } = await startApi(onTestFinished, { store, limits });
    const client = await new Client(url, "?backlog=1").opened();
    await appendLogs(store, [{ body: "first" }]);
    await expect.poll(() => client.told).toEqual(["first"]);
    client.socket.pause();
    for (let count = 0; count < 200; count++) {
      // Each request differs, or it would be taken for a retry.
      const body = `${count} `.padEnd(1000, "x");
      await appendLogs(
        store,
        Array.from({ length: 100 }, () => ({ body })),
      );
    }
    client.socket.resume();
    const tally = () => {
      const missed = client.told.filter((told) => told.startsWith("missed "));
      const missedCount = missed.reduce((sum, told) => sum + Number(told.slice(7)), 0);
      return { missedCount, total: missedCount + client.told.length - missed.length };
    };
    await expect.poll(() => tally().total).toBe(20_001);
    expect(tally().missedCount).toBeGreaterThan(0);
  });

  test("is left when the client goes away", async () => {
    const { follow, seen } = handedOut();
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ follow }) });
    (await new Client(url).opened()).socket.close();
    (await new Client(url).opened()).socket.terminate();
    await expect.poll(() => seen.leftCount).toBe(2);
  });

  test("a failure is told before the connection closes", async () => {
    const follow: LogStore["follow"] = async function* () {
      yield entriesBatch("one");
      throw new Error("secret detail");
    };
    const { url, logged } = await startApi(onTestFinished, { store: scriptedStore({ follow }) });
    const client = new Client(url);
    expect(await client.closed()).toBe(1011);
    expect(client.told).toEqual(["one", "error INTERNAL"]);
    expect(logged).toEqual(["a request failed"]);
  });

  test("ends with the service, whose close waits for no silent client", async () => {
    const { follow, seen } = handedOut();
    const { server, url } = await startApi(onTestFinished, { store: scriptedStore({ follow }) });
    const client = await new Client(url).opened();
    const closed = client.closed();
    await server.close(60_000);
    expect(await closed).toBe(1001);
    expect(seen.leftCount).toBe(1);

    const other = await startApi(onTestFinished, { store: scriptedStore({ follow }) });
    const silent = await new Client(other.url).opened();
    silent.socket.pause();
    await other.server.close(50);
  });
});

describe("admission", () => {
  test("wants a token before the upgrade, and never one in the URL (SEC-007)", async () => {
    const authenticator = new TokenAuthenticator([{ token: "s3cret" }]);
    const { url } = await startApi(onTestFinished, { authenticator });
    for (const client of [
      new Client(url),
      new Client(url, "", { authorization: "Bearer wrong" }),
      new Client(url, "?token=s3cret&access_token=s3cret"),
    ]) {
      expect(await client.refused()).toMatchObject({ status: 401, code: "UNAUTHENTICATED" });
    }
    await new Client(url, "", { authorization: "Bearer s3cret" }).opened();
  });

  test("a page of another site is refused, our own and programs are not (SEC-007)", async () => {
    const originsAllowed = ["https://grafana.example"];
    const { url } = await startApi(onTestFinished, { originsAllowed });
    const { host } = new URL(url);
    for (const origin of ["http://evil.example", "null", `http://${host}.evil.example`, ""]) {
      const error = await new Client(url, "", { origin }).refused();
      expect(error, origin).toMatchObject({ status: 403, code: "ORIGIN_REFUSED" });
    }
    await new Client(url, "", { origin: `http://${host}` }).opened();
    await new Client(url, "", { origin: "https://grafana.example" }).opened();
    await new Client(url).opened();
  });

  test("parameters are checked before the upgrade", async () => {
    const { url } = await startApi(onTestFinished);
    const cases = [
      ["?query=%22open", "QUERY_SYNTAX"],
      ["?query=*|count", "REQUEST_INVALID"],
      ["?query=a&query=b", "REQUEST_INVALID"],
      ["?backlog=-1", "REQUEST_INVALID"],
      ["?backlog=10001", "REQUEST_INVALID"],
      ["?backlgo=1", "REQUEST_INVALID"],
    ] as const;
    for (const [parameters, code] of cases) {
      const error = await new Client(url, parameters).refused();
      expect(error, parameters).toMatchObject({ status: 400, code });
    }
    expect((await new Client(url, "?backlgo=1").refused()).message).toContain('"backlog"');
    expect((await new Client(url, "/nowhere").refused()).status).toBe(404);
    expect((await fetch(`${url}/api/v1/logs/live`)).status).toBe(400);
  });

  test("each principal follows only so many at once, and again once it closed one (SEC-015)", async () => {
    const { follow } = handedOut();
    const limits = { livePerPrincipalMax: 2 };
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ follow }), limits });
    const first = await new Client(url).opened();
    await new Client(url).opened();
    expect(await new Client(url).refused()).toMatchObject({ status: 429, code: "QUERY_TOO_MANY" });
    first.socket.close();
    await expect
      .poll(async () => {
        const client = new Client(url);
        return Promise.race([
          client.opened().then(() => "opened"),
          client.refused().then(
            () => "refused",
            () => "opened",
          ),
        ]);
      })
      .toBe("opened");
  });
});

describe("what a client sends (SEC-007)", () => {
  test("a large message ends the connection, a small one is passed over", async () => {
    const { follow, give } = handedOut();
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ follow }) });
    const client = await new Client(url).opened();
    client.socket.send("hello");
    give(entriesBatch("still here"));
    await expect.poll(() => client.told).toEqual(["still here"]);
    client.socket.send("x".repeat(1025));
    expect(await client.closed()).toBe(1009);
  });

  test("messages are not compressed, whatever the client offers", async () => {
    const { follow } = handedOut();
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ follow }) });
    expect((await new Client(url).opened()).socket.extensions).toBe("");
  });

  test("pings are answered", async () => {
    const { follow } = handedOut();
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ follow }) });
    const client = await new Client(url).opened();
    client.socket.ping("are you there");
    const data = await new Promise<Buffer>((resolve) => client.socket.once("pong", resolve));
    expect(String(data)).toBe("are you there");
  });

  test("pings of a client that does not read are passed over", async () => {
    const { follow, seen, give } = handedOut();
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ follow }) });
    const client = await new Client(url).opened();
    let pongCount = 0;
    client.socket.on("pong", () => pongCount++);
    client.socket.pause();
    for (let count = 0; count < 100; count++) give(entriesBatch("x".repeat(10_000), 100));
    await expect
      .poll(
        standsStill(() => seen.taken),
        { interval: 100 },
      )
      .toBe(true);
    for (let count = 0; count < 100; count++) client.socket.ping();
    // Behind the pings, so that they were all looked at once the connection is closed for it.
    client.socket.send("x".repeat(1025));
    client.socket.resume();
    await client.closed();
    expect(pongCount).toBe(0);
  });

  test("a client that answers no ping is given up, one that does stays", async () => {
    const { follow, seen } = handedOut();
    const { url } = await startApi(onTestFinished, {
      store: scriptedStore({ follow }),
      limits: { pingIntervalMs: 20, silentMs: 2000 },
    });
    const lively = await new Client(url).opened();
    const silent = await new Client(url).opened();
    silent.socket.pause();
    await expect.poll(() => seen.leftCount).toBe(1);
    expect(lively.socket.readyState).toBe(WebSocket.OPEN);
  });
});
