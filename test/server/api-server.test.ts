import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { TokenAuthenticator } from "../../src/collector/authentication.ts";
import { AppError } from "../../src/core/errors.ts";
import type { LogStore } from "../../src/log-store/log-store.ts";
import { COMPLETE, refusal, scriptedStore, startApi } from "./scripted-store.ts";

const authenticator = new TokenAuthenticator([{ name: "ana", token: "s3cret" }]);
const bearer = { authorization: "Bearer s3cret" };

/** Sends bytes as they are and gives all that came back once the server closed the connection. */
async function exchange(url: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write(text);
  let answer = "";
  socket.setEncoding("utf8").on("data", (part: string) => (answer += part));
  socket.on("error", () => {});
  await once(socket, "close");
  return answer;
}

describe("credentials", () => {
  test("every route but the probes wants a token where tokens are set (SEC-002)", async ({
    onTestFinished,
  }) => {
    const { url } = await startApi(onTestFinished, { authenticator });
    const paths = ["/api/v1/logs/search", "/api/v1/status", "/metrics", "/nothing-here"];
    for (const path of paths) {
      const response = await fetch(`${url}${path}`);
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      expect(await refusal(response)).toMatchObject({ status: 401, code: "UNAUTHENTICATED" });
      const wrong = { authorization: "Bearer wrong" };
      expect((await fetch(`${url}${path}`, { headers: wrong })).status).toBe(401);
    }
    expect((await fetch(`${url}/api/v1/status`, { headers: bearer })).status).toBe(200);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  test("a request without a token is answered before its body is read (SEC-003)", async ({
    onTestFinished,
  }) => {
    const { url } = await startApi(onTestFinished, { authenticator });
    const answer = await exchange(
      url,
      "POST /api/v1/logs/search HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1073741824\r\n\r\n{",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(answer.toLowerCase()).toContain("connection: close");
  });
});

describe("requests", () => {
  test("an unknown parameter is refused with the nearest name", async ({ onTestFinished }) => {
    const { url } = await startApi(onTestFinished);
    const response = await fetch(`${url}/api/v1/logs/search?limti=3`);
    const error = await refusal(response);
    expect(error).toMatchObject({ status: 400, code: "REQUEST_INVALID" });
    expect(error.message).toContain('unknown parameter "limti", did you mean "limit"?');
  });

  test("wrong values are refused with the parameter's name", async ({ onTestFinished }) => {
    const { url } = await startApi(onTestFinished);
    const cases = [
      ["search?limit=ten", "limit"],
      ["search?limit=-1", "limit"],
      ["search?limit=1.5", "limit"],
      ["search?limit=1&limit=2", "limit"],
      ["search?query=a&query=b", "query"],
      ["search?order=up", "order"],
      ["search?format=xml", "format"],
      ["search?timeout_ms=0", "timeout_ms"],
      ["search?timeout_ms=3600001", "timeout_ms"],
      ["histogram?interval=soon", "interval"],
      ["groups", "by"],
      ["count?query=a|count", "query"],
      ["search?since=now&until=-1h", "since"],
    ] as const;
    for (const [path, name] of cases) {
      const error = await refusal(await fetch(`${url}/api/v1/logs/${path}`));
      expect(error, path).toMatchObject({ status: 400, code: "REQUEST_INVALID" });
      expect(error.message, path).toContain(`"${name}"`);
    }
  });

  test("a mistake in the query is answered with its position and a hint", async ({
    onTestFinished,
  }) => {
    const { url } = await startApi(onTestFinished);
    const query = encodeURIComponent('level>=warn "open');
    const error = await refusal(await fetch(`${url}/api/v1/logs/count?query=${query}`));
    expect(error).toMatchObject({ status: 400, code: "QUERY_SYNTAX", position: 12 });
    expect(error.hint).not.toBe("");
    const since = await refusal(await fetch(`${url}/api/v1/logs/count?since=soon`));
    expect(since).toMatchObject({ status: 400, code: "TIME_SYNTAX" });
  });

  test("a POST takes the same parameters as JSON and nothing else (SEC-008)", async ({
    onTestFinished,
  }) => {
    const asked: unknown[] = [];
    const search: LogStore["search"] = async function* (request) {
      asked.push(request.limit, request.order);
      yield* [];
      return COMPLETE;
    };
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ search }) });
    const post = (body: string, contentType: string, path = "/api/v1/logs/search") =>
      fetch(`${url}${path}`, { method: "POST", body, headers: { "content-type": contentType } });
    const json = "application/json";
    expect((await post('{"limit":3,"order":"oldest"}', json)).status).toBe(200);
    expect(asked).toEqual([3, "oldest"]);
    expect((await post('{"limit":3}', "text/plain")).status).toBe(415);
    expect((await post("limit=3", "application/x-www-form-urlencoded")).status).toBe(415);
    expect((await fetch(`${url}/api/v1/logs/search`, { method: "POST" })).status).toBe(415);
    const cases = [
      post('{"limit":', json),
      post("[3]", json),
      post("null", json),
      post('{"limits":3}', json),
      post("{}", json, "/api/v1/logs/search?limit=3"),
      post('{"__proto__":{"limit":3}}', json),
    ];
    for (const response of await Promise.all(cases)) {
      expect(await refusal(response)).toMatchObject({ status: 400, code: "REQUEST_INVALID" });
    }
    const large = await post(JSON.stringify({ query: "a".repeat(70_000) }), json);
    expect(await refusal(large)).toMatchObject({ status: 413, code: "REQUEST_TOO_LARGE" });
    expect(asked).toHaveLength(2);
  });

  test("a time zone's plus sign that the URL made a space is understood", async ({
    onTestFinished,
  }) => {
    const asked: bigint[] = [];
    const aggregate: LogStore["aggregate"] = async ({ range }) => {
      asked.push(range.fromUnixNs);
      return { ...COMPLETE, rows: [{ count: 0 }] };
    };
    const { url } = await startApi(onTestFinished, { store: scriptedStore({ aggregate }) });
    await fetch(`${url}/api/v1/logs/count?since=2025-01-07T21:34:06+01:00`);
    await fetch(`${url}/api/v1/logs/count?since=2025-01-07T20:34:06Z`);
    expect(asked[0]).toBe(asked[1]);
    expect(asked).toHaveLength(2);
  });

  test("unknown paths and methods are answered as errors", async ({ onTestFinished }) => {
    const { url } = await startApi(onTestFinished);
    for (const path of ["/", "/api/v1/logs", "/api/v2/logs/search", "/%00", "/%zz"]) {
      const { status, code } = await refusal(await fetch(`${url}${path}`));
      expect([404, 400], path).toContain(status);
      expect(["NOT_FOUND", "REQUEST_INVALID"], path).toContain(code);
    }
    const deleted = await fetch(`${url}/api/v1/logs/search`, { method: "DELETE" });
    expect(await refusal(deleted)).toMatchObject({ status: 404, code: "NOT_FOUND" });
  });

  test("answers forbid sniffing and say nothing of other origins (SEC-008)", async ({
    onTestFinished,
  }) => {
    const { url } = await startApi(onTestFinished);
    const origin = { origin: "http://evil.example" };
    for (const path of ["/api/v1/logs/search", "/api/v1/status", "/nothing", "/metrics"]) {
      const { headers } = await fetch(`${url}${path}`, { headers: origin });
      expect(headers.get("x-content-type-options"), path).toBe("nosniff");
      expect(headers.get("access-control-allow-origin"), path).toBeNull();
    }
  });

  test("an offer of another protocol is passed over, not refused", async ({ onTestFinished }) => {
    const { url } = await startApi(onTestFinished);
    const answer = await exchange(
      url,
      "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe("failures", () => {
  test("a fault of ours is logged and not told, a known failure is told", async ({
    onTestFinished,
  }) => {
    let error: Error = new Error("secret detail");
    const aggregate: LogStore["aggregate"] = async () => {
      throw error;
    };
    const { url, logged } = await startApi(onTestFinished, { store: scriptedStore({ aggregate }) });
    const ask = () => fetch(`${url}/api/v1/logs/count`);
    const fault = await refusal(await ask());
    expect(fault).toMatchObject({ status: 500, code: "INTERNAL" });
    expect(JSON.stringify(fault)).not.toContain("secret");
    expect(logged).toEqual(["a request failed"]);

    error = new AppError("QUERY_TOO_LARGE", "too many groups");
    expect(await refusal(await ask())).toMatchObject({ status: 400, message: "too many groups" });

    error = new AppError("STORE_CLOSED", "the store is closed");
    const closed = await ask();
    expect(closed.headers.get("retry-after")).toBe("5");
    expect(await refusal(closed)).toMatchObject({ status: 503, code: "STORE_CLOSED" });
  });

  test("a port that is taken is an error with the address", async ({ onTestFinished }) => {
    const { url } = await startApi(onTestFinished);
    const port = Number(new URL(url).port);
    const again = startApi(onTestFinished, { port });
    await expect(again).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
    await expect(again).rejects.toThrow(`127.0.0.1:${port}`);
  });
});

describe("limits", () => {
  test("a principal beyond its queries at once is told to wait, others are not (SEC-015)", async ({
    onTestFinished,
  }) => {
    const waiting: (() => void)[] = [];
    const aggregate: LogStore["aggregate"] = async () => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return { ...COMPLETE, rows: [{ count: 0 }] };
    };
    const two = new TokenAuthenticator([
      { name: "ana", token: "s3cret" },
      { name: "bo", token: "t0ken" },
    ]);
    const { url } = await startApi(onTestFinished, {
      store: scriptedStore({ aggregate }),
      authenticator: two,
      limits: { queriesPerPrincipalMax: 2 },
    });
    const count = (token: string) =>
      fetch(`${url}/api/v1/logs/count`, { headers: { authorization: `Bearer ${token}` } });
    const running = [count("s3cret"), count("s3cret")];
    await expect.poll(() => waiting.length).toBe(2);
    const third = await count("s3cret");
    expect(third.headers.get("retry-after")).toBe("1");
    expect(await refusal(third)).toMatchObject({ status: 429, code: "QUERY_TOO_MANY" });
    const other = count("t0ken");
    await expect.poll(() => waiting.length).toBe(3);
    for (const resolve of waiting.splice(0)) resolve();
    for (const response of await Promise.all([...running, other]))
      expect(response.status).toBe(200);
    // The slots are free again.
    const again = count("s3cret");
    await expect.poll(() => waiting.length).toBe(1);
    for (const resolve of waiting.splice(0)) resolve();
    expect((await again).status).toBe(200);
  });

  test("a query has the usual budget unless it asks for another (SEC-015)", async ({
    onTestFinished,
  }) => {
    const budgets: unknown[] = [];
    const aggregate: LogStore["aggregate"] = async ({ budget }) => {
      budgets.push(budget);
      return { ...COMPLETE, rows: [{ count: 0 }] };
    };
    const { url } = await startApi(onTestFinished, {
      store: scriptedStore({ aggregate }),
      limits: { budget: { timeMs: 5, scanBytes: 6, memoryBytes: 7 } },
    });
    await fetch(`${url}/api/v1/logs/count`);
    await fetch(`${url}/api/v1/logs/count?timeout_ms=1&scan_bytes=2&memory_bytes=3`);
    expect(budgets).toEqual([
      { timeMs: 5, scanBytes: 6, memoryBytes: 7 },
      { timeMs: 1, scanBytes: 2, memoryBytes: 3 },
    ]);
  });
});

describe("the service itself", () => {
  test("readyz is 503 until the service is ready, healthz is 200", async ({ onTestFinished }) => {
    let isReady = false;
    const { url } = await startApi(onTestFinished, { isReady: () => isReady });
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    isReady = true;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  test("metrics are rendered for what the client accepts (PRM-001)", async ({ onTestFinished }) => {
    const { url } = await startApi(onTestFinished, {
      metrics: {
        renderMetrics: async (accept) => ({
          contentType: "application/openmetrics-text; version=1.0.0; charset=utf-8",
          body: `# ${accept}\n# EOF\n`,
        }),
      },
    });
    const accept = "application/openmetrics-text; version=1.0.0";
    const response = await fetch(`${url}/metrics`, { headers: { accept } });
    expect(response.headers.get("content-type")).toBe(
      "application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    expect(await response.text()).toBe(`# ${accept}\n# EOF\n`);
  });

  test("status tells version, addresses and the counters of the law", async ({
    onTestFinished,
  }) => {
    const { url } = await startApi(onTestFinished);
    const status: unknown = await (await fetch(`${url}/api/v1/status`)).json();
    expect(status).toMatchObject({
      version: "1.2.3",
      uptime_ms: 1235,
      is_ready: true,
      listening: { api: "here" },
      signals: { logs: { received: 0, stored: 0, pending: 0 }, traces: {}, metrics: {} },
    });
  });

  test("close finishes a running query, and cuts it off at the deadline", async ({
    onTestFinished,
  }) => {
    let finish = (): void => {};
    const aggregate: LogStore["aggregate"] = async () => {
      await new Promise<void>((resolve) => (finish = resolve));
      return { ...COMPLETE, rows: [{ count: 1 }] };
    };
    const store = scriptedStore({ aggregate });
    const patient = await startApi(onTestFinished, { store });
    const answer = fetch(`${patient.url}/api/v1/logs/count`);
    const hasStarted = finish;
    await expect.poll(() => finish !== hasStarted).toBe(true);
    const closed = patient.server.close(60_000);
    finish();
    expect((await answer).status).toBe(200);
    await closed;
    await expect(fetch(`${patient.url}/healthz`)).rejects.toThrow("fetch failed");

    const hasty = await startApi(onTestFinished, { store });
    const before = finish;
    const cut = fetch(`${hasty.url}/api/v1/logs/count`).catch((error: unknown) => error);
    await expect.poll(() => finish !== before).toBe(true);
    await hasty.server.close(0);
    expect(await cut).toBeInstanceOf(TypeError);
    finish();
  });
});
