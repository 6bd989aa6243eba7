import { readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { encodeTracesRequest } from "../../src/wire/otlp-encode.ts";
import { appendLogs, openStore, temporaryFolder } from "../log-store/store-user.ts";
import { startApi } from "./scripted-store.ts";

const DOC = readFileSync(new URL("../../docs/http-api.md", import.meta.url), "utf8");

test("docs/http-api.md has a section for every route, and for no other", async () => {
  const { server } = await startApi(onTestFinished);
  const documented = [...DOC.matchAll(/^## ([A-Z, ]+) `(\S+)`$/gm)].flatMap(
    ([, methods = "", path = ""]) => {
      const url = path.replaceAll(/\{(\w+)\}/g, ":$1");
      return methods.split(", ").map((method) => `${method} ${url}`);
    },
  );
  expect(documented.toSorted()).toEqual(server.routes.toSorted());
});

test("every section of docs/http-api.md has an example that works", async () => {
  const store = await openStore(temporaryFolder());
  await appendLogs(store, [{ body: "Connection timeout." }]);
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const times = { startTimeUnixNs: 1n, endTimeUnixNs: 2n };
  const span = { traceId, spanId: "00f067aa0ba902b7", name: "detect", kind: 1, ...times };
  const request = {
    resource: new Map(),
    scopeName: "",
    spans: [{ ...span, attributes: new Map() }],
  };
  await store.append({ signal: "traces", body: encodeTracesRequest(request), principal: "" });
  const { url, server } = await startApi(onTestFinished, { store });

  const examples = [...DOC.matchAll(/^curl (.*)'http:\/\/127\.0\.0\.1:6014(\/\S*)'$/gm)];
  const sections = DOC.split(/^## (?=GET)/m).slice(1);
  expect(sections.every((section) => section.includes("\ncurl "))).toBe(true);
  expect(examples).toHaveLength(sections.length);
  for (const [, options = "", path = ""] of examples) {
    // Handshakes are for test/server/live-search.test.ts; `fetch` makes none.
    const isLive = path.startsWith("/api/v1/logs/live");
    if (isLive) {
      expect(server.routes).toContain("GET /api/v1/logs/live");
      continue;
    }
    const headers = [...options.matchAll(/-H '([^:]+): ([^']*)'/g)].map(
      ([, name = "", value = ""]): [string, string] => [name, value],
    );
    const body = /-d '([^']*)'/.exec(options)?.[1];
    const method = options.includes("-X POST") ? "POST" : "GET";
    const init = { method, headers, ...(body === undefined ? {} : { body }) };
    const response = await fetch(`${url}${path}`, init);
    expect(response.status, path).toBe(200);
    await response.text();
  }
});
