import { once } from "node:events";
import https from "node:https";
import { connect } from "node:net";
import { generate } from "selfsigned";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { isOriginAllowed } from "../../src/collector/origin.ts";
import { QuerySlots } from "../../src/server/query-slots.ts";
import { startApi } from "./scripted-store.ts";

describe("TLS", () => {
  test("HTTP and live search are served over TLS alone where it is set (SEC-002)", async () => {
    const pem = await generate([{ name: "commonName", value: "dora" }], {
      algorithm: "sha256",
      extensions: [
        { name: "basicConstraints", cA: true },
        { name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] },
      ],
    });
    const { url } = await startApi(onTestFinished, { tls: { cert: pem.cert, key: pem.private } });
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const trust = { ca: pem.cert };
    const status = await new Promise((resolve, reject) => {
      https
        .get(`${url}/healthz`, { ...trust, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
        .on("error", reject);
    });
    expect(status).toBe(200);
    const socket = new WebSocket(`${url.replace("https", "wss")}/api/v1/logs/live`, trust);
    await once(socket, "open");
    socket.terminate();
    await expect(fetch(url.replace("https", "http"))).rejects.toThrow("fetch failed");
  });

  test("a certificate that is none is CONFIG_INVALID", async () => {
    const started = startApi(onTestFinished, { tls: { cert: "no certificate", key: "no key" } });
    await expect(started).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

test("a client that does not finish its headers is cut off (SEC-006)", async () => {
  const { url } = await startApi(onTestFinished, { limits: { headersMs: 100 } });
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write("GET /healthz HTTP/1.1\r\nx-slow: ");
  let answer = "";
  socket.setEncoding("utf8").on("data", (part: string) => (answer += part));
  await once(socket, "close");
  expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
});

describe("origins (SEC-007)", () => {
  test.for([
    [undefined, "127.0.0.1:6014"],
    ["http://127.0.0.1:6014", "127.0.0.1:6014"],
    ["http://LOCALHOST:6014", "localhost:6014"],
    ["http://dora.example", "dora.example:80"],
    ["https://dora.example:443", "dora.example"],
    ["http://[::1]:6014", "[::1]:6014"],
    ["https://grafana.example", "127.0.0.1:6014"],
  ] as const)("a page of %s may connect to %s", ([origin, host]) => {
    expect(isOriginAllowed(origin, host, ["https://grafana.example"])).toBe(true);
  });

  test.for([
    ["http://evil.example", "127.0.0.1:6014"],
    ["http://127.0.0.1:6015", "127.0.0.1:6014"],
    ["http://localhost:6014", "127.0.0.1:6014"],
    ["http://dora.example.evil.example", "dora.example"],
    ["http://dora.example", undefined],
    ["http://grafana.example", "127.0.0.1:6014"],
    ["null", "127.0.0.1:6014"],
    ["", "127.0.0.1:6014"],
    ["file:///home/user/page.html", ""],
  ] as const)("a page of %s may not connect to %s", ([origin, host]) => {
    expect(isOriginAllowed(origin, host, ["https://grafana.example"])).toBe(false);
  });
});

describe("slots (SEC-015)", () => {
  test("are counted for each principal and for all, and released once", () => {
    const slots = new QuerySlots({ what: "queries", perPrincipalMax: 2, totalMax: 3 });
    const release = slots.acquire("ana");
    slots.acquire("ana");
    expect(() => slots.acquire("ana")).toThrow("2 queries of yours run");
    slots.acquire("bo");
    expect(() => slots.acquire("cy")).toThrow("3 queries run");
    release();
    release();
    slots.acquire("cy");
    expect(() => slots.acquire("ana")).toThrow("3 queries run");
  });
});
