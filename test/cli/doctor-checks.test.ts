import { describe, expect, test } from "vitest";
import type { Check } from "../../src/cli/doctor-checks.ts";
import * as checks from "../../src/cli/doctor-checks.ts";
import { explain } from "../../src/cli/doctor-explain.ts";
import { brokersOf, needsPython, readFilesLimit } from "../../src/cli/doctor-facts.ts";
import { renderChecks } from "../../src/cli/render-checks.ts";
import { terminalLook } from "../../src/cli/terminal-look.ts";
import { AppError } from "../../src/core/errors.ts";
import { parseValid } from "../runtime/dataflow/parse.ts";

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const { icons } = terminalLook({}, { LANG: "C.UTF-8" });

const statusOf = (check: Check): string => check.status;

describe("checks", () => {
  test.each([
    ["v22.17.9", "failed"],
    ["v22.18.0", "ok"],
    ["v24.0.0", "ok"],
    ["v20.20.2", "failed"],
  ])("Node.js %s is %s", (version, status) => {
    expect(statusOf(checks.checkNode(version))).toBe(status);
  });

  test("a folder that takes no files fails, with the variable that names another", () => {
    const of = { folder: "/a", problem: "may not be written", variable: "DORA_STATE_DIR" };
    expect(checks.checkFolder("state folder", of)).toEqual({
      check: "state folder",
      status: "failed",
      found: "/a: may not be written",
      fix: "make it writable for this user, or set DORA_STATE_DIR to another",
    });
    expect(statusOf(checks.checkFolder("it", { ...of, problem: undefined }))).toBe("ok");
  });

  test("a port is free, ours, or taken by a program that is named", () => {
    const of = { label: "6014 (queries)", variable: "DORA_API", owner: undefined };
    expect(checks.checkPort({ ...of, state: "free" })).toMatchObject({
      status: "ok",
      found: "free",
    });
    const owner = "python3 (pid 4711)";
    expect(checks.checkPort({ ...of, state: "ours", owner })).toMatchObject({ status: "ok" });
    expect(checks.checkPort({ ...of, state: "taken", owner })).toEqual({
      check: "port 6014 (queries)",
      status: "failed",
      found: "taken by python3 (pid 4711)",
      fix: "stop that program, or set DORA_API to another address",
    });
    expect(checks.checkPort({ ...of, state: "taken" }).found).toBe(
      "taken by a program of another user",
    );
  });

  test.each([
    ["nothing", true, "skipped", "does not run"],
    ["nothing", false, "failed", "nothing answers at http://c"],
    ["stranger", true, "failed", "what answers at http://c is none, or hangs"],
    [{ version: "1.0.0" }, true, "ok", "version 1.0.0 at http://c"],
    [{ version: "0.9.0" }, true, "warning", "version 0.9.0 at http://c, this is 1.0.0"],
    [{ version: undefined }, true, "ok", "answers at http://c"],
  ] as const)("a service that answers %j (local: %s) is %s", (answer, isLocal, status, found) => {
    const of = { check: "coordinator", where: "http://c", version: "1.0.0" };
    expect(checks.checkService({ ...of, answer, isLocal })).toMatchObject({ status, found });
  });

  test("a coordinator without a daemon is a warning; one of another version too", () => {
    expect(checks.checkDaemons(undefined, "1")).toEqual([]);
    expect(checks.checkDaemons([], "1").map(statusOf)).toEqual(["warning"]);
    const daemons = [
      { machine: "a", version: "1" },
      { machine: "b", version: "2" },
    ];
    expect(checks.checkDaemons(daemons, "1").map(statusOf)).toEqual(["ok", "warning"]);
  });

  test("what there is little of is a warning, too little a failure", () => {
    const disk = (freeBytes: number) => statusOf(checks.checkDisk({ folder: "/", freeBytes }));
    expect([disk(3 * GIB), disk(GIB), disk(100 * MIB)]).toEqual(["ok", "warning", "failed"]);
    const memory = [GIB, 200 * MIB, 100 * MIB].map((bytes) => statusOf(checks.checkMemory(bytes)));
    expect(memory).toEqual(["ok", "warning", "failed"]);
    const files = [Infinity, 1024, 1000, 100, undefined].map((limit) =>
      statusOf(checks.checkFiles(limit)),
    );
    expect(files).toEqual(["ok", "ok", "warning", "failed", "skipped"]);
    const shared = (freeBytes: number) =>
      statusOf(checks.checkSharedMemory({ folder: "/dev/shm", freeBytes }));
    expect([shared(GIB), shared(64 * MIB)]).toEqual(["ok", "warning"]);
    expect(statusOf(checks.checkSharedMemory(undefined))).toBe("skipped");
  });

  test("Python fails only where it is needed", () => {
    const status = (python: Parameters<typeof checks.checkPython>[0]) =>
      [true, false].map((isNeeded) => statusOf(checks.checkPython(python, { isNeeded })));
    expect(status(undefined)).toEqual(["failed", "skipped"]);
    expect(status({ version: "3.7.1", pyarrow: "1" })).toEqual(["failed", "warning"]);
    expect(status({ version: "3.8.0", pyarrow: undefined })).toEqual(["warning", "ok"]);
    expect(status({ version: "3.12.0", pyarrow: "21.0.0" })).toEqual(["ok", "ok"]);
  });

  test("a clock that is off by more than the header can tell is a warning, with its direction", () => {
    expect(checks.checkClock(undefined)).toEqual([]);
    expect(checks.checkClock(-1999).map(statusOf)).toEqual(["ok"]);
    expect(checks.checkClock(5000)).toMatchObject([
      { status: "warning", found: "5 s behind the coordinator's" },
    ]);
    expect(checks.checkClock(-61_000)).toMatchObject([{ found: "61 s before the coordinator's" }]);
  });
});

describe("facts", () => {
  test("the limit of open files is read from the kernel's table", () => {
    const table =
      "Limit   Soft Limit   Hard Limit   Units\nMax open files            1024                 524288               files\n";
    expect(readFilesLimit(table)).toBe(1024);
    expect(readFilesLimit(table.replace("1024 ", "unlimited "))).toBe(Infinity);
    expect(readFilesLimit("")).toBeUndefined();
  });

  test("brokers are those that links go through, each once, without credentials", () => {
    const dataflow = parseValid(`
default_transport: redis
nodes:
  - { id: a, path: a.js, outputs: [x], inputs: { tick: dora/timer/secs/1 } }
  - id: b
    path: b.js
    inputs:
      x: a/x
      y: a/x
      z: { source: a/x, transport: { kind: mqtt, endpoint: "mqtts://me:secret@[::1]" } }
      w: { source: a/x, transport: socket }
`);
    expect(brokersOf(dataflow)).toEqual([
      { kind: "redis", place: "redis://127.0.0.1:6379", host: "127.0.0.1", port: 6379 },
      { kind: "mqtt", place: "mqtts://[::1]:8883", host: "::1", port: 8883 },
    ]);
  });

  test.each([
    ["nodes: [{ id: a, path: a.py }]", true],
    ["nodes: [{ id: a, operator: { python: a.py } }]", true],
    ["nodes: [{ id: a, path: a.js }, { id: b, path: dynamic }]", false],
  ])("%s needs Python: %s", (text, expected) => {
    expect(needsPython(parseValid(text))).toBe(expected);
  });
});

describe("the table", () => {
  test("has a row a check, then what to do, then whether something failed", () => {
    const all: readonly Check[] = [
      { check: "memory", status: "ok", found: "2.0 GiB available" },
      { check: "redis", status: "failed", found: "nothing listens there", fix: "start it" },
    ];
    const text = renderChecks(all, icons)
      .map((line) => line.map((piece) => (typeof piece === "string" ? piece : piece.text)).join(""))
      .join("\n");
    expect(text).toBe(`+--------+--------+-----------------------+
| Check  | Status | Found                 |
+--------+--------+-----------------------+
| memory | ok     | 2.0 GiB available     |
| redis  | failed | nothing listens there |
+--------+--------+-----------------------+

💡 redis: start it

1 of 2 checks failed`);
  });
});

describe("explanations", () => {
  test.each([
    ["❌ No coordinators found. Retrying in 1 seconds... [Attempt 2/2]", "no coordinator runs"],
    ["Error: listen EADDRINUSE: address already in use 127.0.0.1:6014", "another program listens"],
    ["connect ECONNREFUSED 127.0.0.1:6379", "no Redis server"],
    ["mqtt: connection refused", "no MQTT broker"],
    ["connect ECONNREFUSED 127.0.0.1:9", "nothing listens"],
    ["EMFILE: too many open files, open 'a'", "limit of open files"],
    ["ENOSPC: no space left on device, write", "the disk is full"],
    ["ENOSPC: no space left on device, open '/dev/shm/x'", "the shared memory is full"],
    ["FATAL ERROR: Reached heap limit - JavaScript heap out of memory", "used up its heap"],
    ["was ended by SIGKILL", "no memory left"],
    ["SyntaxError: Cannot use import statement outside a module", "CommonJS"],
    ["flow.yml is not valid: 2 problems", "the dataflow file has a fault"],
    ["ModuleNotFoundError: No module named 'numpy.core'", "`numpy` is missing"],
    ["EACCES: permission denied, open '/x'", "may not read or write"],
  ])("%j", (text, cause) => {
    expect(explain(text).cause).toContain(cause);
    expect(explain(text).fix).not.toBe("");
  });

  test("a text that is not known is said to be so", () => {
    expect(() => explain("")).toThrow(AppError);
    expect(() => explain("all is well")).toThrow("no explanation is known");
  });

  test("a long text is looked through in time", () => {
    const text = "redis 1883 mqtt : not sh: ".repeat(50_000);
    const beganMs = performance.now();
    expect(() => explain(text)).toThrow("no explanation is known");
    expect(performance.now() - beganMs).toBeLessThan(2_000);
  });
});
