import { createServer, type Server } from "node:http";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { AcknowledgedClient } from "./acknowledged-client.ts";

/** What the service does with an attempt. */
type Answer = { readonly status: number } | "die" | "die after reading";

describe("the client that fault tests trust", () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  /** Answers as `answers` say, in turn, then with 200; keeps the bodies it read. */
  async function serve(answers: readonly Answer[]): Promise<{
    readonly endpoint: string;
    readonly bodies: readonly Buffer[];
  }> {
    const left = [...answers];
    const bodies: Buffer[] = [];
    server = createServer((request, response) => {
      const answer = left.shift() ?? { status: 200 };
      if (answer === "die") {
        request.socket.destroy();
        return;
      }
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.once("end", () => {
        bodies.push(Buffer.concat(chunks));
        if (answer === "die after reading") request.socket.destroy();
        else response.writeHead(answer.status).end();
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    return { endpoint: `http://127.0.0.1:${port}`, bodies };
  }

  function makeClient(endpoint: string): AcknowledgedClient {
    return new AcknowledgedClient({ clientId: "c1", seed: 3, endpoint: () => endpoint });
  }

  test("it sends the same bytes until they are acknowledged, and only then counts them", async () => {
    const { endpoint, bodies } = await serve([
      { status: 503 },
      "die after reading",
      { status: 429 },
    ]);
    const client = makeClient(endpoint);
    await client.run(new AbortController().signal, 1);
    client.close();
    expect(bodies).toHaveLength(4);
    expect(bodies.every((body) => body.equals(bodies[0] ?? Buffer.alloc(0)))).toBe(true);
    expect(client.retryCount).toBe(3);
    expect(client.acknowledged.size).toBeGreaterThan(0);
    expect([...client.acknowledged]).toEqual([...client.attempted]);
    const text = bodies[0]?.toString("latin1") ?? "";
    for (const id of client.acknowledged) expect(text).toContain(`record ${id} took`);
  });

  test("what was not acknowledged when it stopped is attempted, not acknowledged, until settled", async () => {
    const abort = new AbortController();
    const { endpoint } = await serve(["die", "die"]);
    const client = makeClient(endpoint);
    const running = client.run(abort.signal);
    while (client.retryCount === 0) await new Promise(setImmediate);
    abort.abort();
    await running;
    expect(client.acknowledged.size).toBe(0);
    expect(client.attempted.size).toBeGreaterThan(0);
    await client.settle(new AbortController().signal);
    client.close();
    expect([...client.acknowledged]).toEqual([...client.attempted]);
  });

  test("an answer that is final and no success ends it", async () => {
    const { endpoint } = await serve([{ status: 400 }]);
    const client = makeClient(endpoint);
    await expect(client.run(new AbortController().signal, 1)).rejects.toThrow("answered 400");
    client.close();
  });
});
