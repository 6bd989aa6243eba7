import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { RuntimeEvent } from "../../../src/runtime/protocol/status.ts";
import { openDaemon } from "./daemon-harness.ts";

function builds(events: readonly RuntimeEvent[], node: string) {
  return events.flatMap((event) => {
    if (event.type !== "build" || event.node !== node) return [];
    return [`${event.linesDone}/${event.linesTotal} ${event.state} ${event.command}`.trim()];
  });
}

test("lines run one after the other, told with true counts, and their output is kept", async () => {
  const it = await openDaemon();
  const id = await it.start(
    `
nodes:
  - id: a
    path: shell
    args: cat made
    build: |
      echo first > made
      echo second >> made; echo said; echo complained >&2
`,
    { build: true },
  );
  expect((await it.daemon.ended(id)).state).toBe("completed");
  expect(it.telemetry.output("a")).toBe("first\nsecond\n");
  expect(builds(it.events, "a")).toEqual([
    "0/2 building",
    "0/2 building echo first > made",
    "1/2 building echo second >> made; echo said; echo complained >&2",
    "2/2 done",
  ]);
  const report = readFileSync(join(it.folder, "out", "build.txt"), "utf8");
  expect(report.split("\n").toSorted().slice(1)).toEqual([
    "[a] $ echo first > made",
    "[a] $ echo second >> made; echo said; echo complained >&2",
    "[a] complained",
    "[a] said",
  ]);
  const states = it.events.flatMap((event) => (event.type === "dataflow" ? [event.state] : []));
  expect(states).toEqual(["building", "starting", "running", "completed"]);
});

test("a failed build starts nothing; the others are built to their end", async () => {
  const it = await openDaemon();
  const id = await it.start(
    `
nodes:
  - { id: bad, path: shell, args: touch ran, build: "no-such-tool --version\\necho never" }
  - { id: good, path: shell, args: touch ran, build: "sleep 0.2\\necho built" }
`,
    { build: true },
  );
  const { state, nodes } = await it.daemon.ended(id);
  expect(state).toBe("failed");
  expect(nodes.map((node) => node.state)).toEqual(["failed", "stopped"]);
  expect(nodes[0]?.end).toMatchObject({
    exitCode: 127,
    message: "build failed: Missing dependency `no-such-tool`",
  });
  expect(builds(it.events, "bad").at(-1)).toBe("0/2 failed no-such-tool --version");
  expect(builds(it.events, "good").at(-1)).toBe("2/2 done");
  expect(
    it.events.find((event) => event.type === "build" && event.state === "failed"),
  ).toMatchObject({
    missing: { name: "no-such-tool", command: "" },
    lastStderr: [expect.stringContaining("not found")],
  });
  expect(it.telemetry.identities).toEqual([]);
});

test("a stop ends a build, and what it runs", async () => {
  const it = await openDaemon();
  const id = await it.start("nodes: [{ id: a, path: shell, args: 'true', build: sleep 1000 }]", {
    build: true,
  });
  await it.until(() => builds(it.events, "a").length === 2);
  expect(it.node(id, "a").state).toBe("building");
  await it.daemon.handle({ method: "stop", dataflow: id, force: false });
  expect((await it.daemon.ended(id)).state).toBe("stopped");
});

test("a build alone starts nothing, and its end is the dataflow's", async () => {
  const it = await openDaemon();
  const good = await it.build("nodes: [{ id: a, path: shell, args: touch ran, build: 'true' }]");
  await it.until(() =>
    it.events.some((event) => event.type === "dataflow" && event.state === "completed"),
  );
  const bad = await it.build("nodes: [{ id: a, path: shell, args: touch ran, build: exit 3 }]");
  await it.until(() =>
    it.events.some((event) => event.type === "dataflow" && event.state === "failed"),
  );
  expect(new Set(it.events.map(({ dataflow }) => dataflow))).toEqual(new Set([good, bad]));
  expect(it.daemon.status()).toEqual([]);
});
