import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { linksOf } from "../../../src/runtime/dataflow/dataflow.ts";
import { parseValid, warningsOf } from "./parse.ts";

const fixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/dataflow/${name}.yml`, import.meta.url), "utf8");

const node = (keys: string): string => `nodes: [{ id: a, path: a.js, ${keys} }]`;

describe("files as people write them", () => {
  test("a pipeline of dora-rs 1.0 loads, every key of it, and is warned of what has no effect", () => {
    const dataflow = parseValid(fixture("camera"));
    expect(warningsOf(fixture("camera"))).toEqual([
      "30:5 unsupported `send_stdout_as` has no effect: an input from `dora/logs/stdout/detector` gets the lines, as records",
    ]);
    expect(dataflow.environment).toEqual({ MODEL: "yolo-n" });
    const [webcam, detector, plot] = dataflow.nodes;
    expect(webcam).toMatchObject({
      id: "webcam",
      name: "Front camera",
      source: {
        kind: "operators",
        operators: [{ id: "op", source: "webcam.py", inputs: ["tick"], outputs: ["image"] }],
      },
      inputs: [{ id: "tick", source: { kind: "timer", intervalNs: 1e8 }, queueSize: 10 }],
      outputs: [{ id: "image", format: "arrow" }],
    });
    expect(detector).toEqual({
      id: "detector",
      name: "detector",
      description: "",
      source: {
        kind: "executable",
        path: "detector.py",
        args: ["--device", "cpu", "--label", "two words"],
      },
      build: ["pip install -r requirements.txt", "pip install ultralytics"],
      inputs: [
        {
          id: "image",
          source: {
            kind: "output",
            node: "webcam",
            output: "image",
            transport: { kind: "socket", options: {} },
          },
          queueSize: 1,
          queuePolicy: "drop_oldest",
          inputTimeoutMs: 2500,
        },
      ],
      outputs: [
        { id: "boxes", format: "arrow", schema: { x: "float32", y: "float32", label: "utf8" } },
        { id: "raw_output", format: "arrow", schema: undefined },
      ],
      environment: { CONFIDENCE: "0.5", DEBUG: "true", PORT: "8080" },
      parameters: {},
      restart: {
        policy: "on-failure",
        restartsMax: 5,
        delayMs: 500,
        delayMaxMs: 30_000,
        windowMs: 300_000,
      },
      healthCheckTimeoutMs: 30_000,
      finishGraceMs: 5000,
      sendStdoutAs: "raw_output",
      minLogLevel: "info",
      cpuAffinity: [0, 1],
      machine: undefined,
      thresholds: { latencyMs: undefined, memoryMb: undefined, errorsPerMinute: undefined },
    });
    expect(plot?.source).toEqual({ kind: "dynamic" });
    expect(plot?.inputs.map(({ source }) => source).slice(2)).toEqual([
      { kind: "logs", level: "error", node: undefined },
      { kind: "logs", level: "info", node: "detector" },
    ]);
  });

  test("operators' ports are their node's, and nodes may read themselves", () => {
    const dataflow = parseValid(fixture("operators"));
    expect(linksOf(dataflow).map(({ id }) => id)).toEqual([
      "sensor/raw->fusion/clean/raw",
      "fusion/clean/kept->fusion/merge/kept",
      "fusion/merge/state->planner/state",
      "planner/plan->planner/again",
    ]);
    expect(dataflow.nodes[1]).toMatchObject({
      build: ["pip install numpy"],
      source: {
        operators: [
          { id: "clean", source: "clean.js", inputs: ["clean/raw"], outputs: ["clean/kept"] },
          { id: "merge", source: "merge.py", inputs: ["merge/kept"], outputs: ["merge/state"] },
        ],
      },
    });
  });

  test("a file of dora-rs 0.x loads, with a warning for each key of then", () => {
    const [timer, printer] = parseValid(fixture("version-0")).nodes;
    expect(timer).toMatchObject({
      source: { kind: "executable", path: "./timer", args: ["--rate", "10"] },
      build: ["cargo build -p timer"],
      environment: { RATE: "10" },
      inputs: [{ id: "tick" }],
      outputs: [{ id: "time" }],
    });
    // A shell splits and expands its line itself.
    const args = ["cat $HOME/notes | grep 'a  b'"];
    expect(printer?.source).toEqual({ kind: "executable", path: "shell", args });
    expect(warningsOf(fixture("version-0"))).toEqual([
      "2:1 legacy `communication` is of dora-rs 0.x and has no effect: give `default_transport`",
      "4:1 legacy `_unstable_deploy` is of dora-rs 0.x and has no effect: a dataflow runs on one machine",
      "8:5 legacy `custom` is of dora-rs 0.x: give `path` in the place of `custom.source`",
      "18:5 legacy `_unstable_deploy` is of dora-rs 0.x and has no effect: a dataflow runs on one machine",
      "20:5 legacy `custom` is of dora-rs 0.x: give `path` in the place of `custom.source`",
    ]);
  });

  test("every transport is read with its options, an input's before the file's", () => {
    const dataflow = parseValid(fixture("transports"));
    const [gateway, worker] = dataflow.nodes;
    const links = linksOf(dataflow).map(({ target, transport }) => [target.input, transport]);
    expect(Object.fromEntries(links)).toEqual({
      default: { kind: "tcp", options: {} },
      near: { kind: "socket", options: {} },
      web: {
        kind: "websocket",
        options: { endpoint: "wss://10.0.0.7:7001/dora", cert: "c.pem", key: "k.pem" },
      },
      rust: { kind: "grpc", options: { endpoint: "grpc://10.0.0.7:7002" } },
      job: {
        kind: "redis",
        options: {
          endpoint: "redis://10.0.0.5:6379/0",
          topic: "jobs",
          mode: "tasks",
          group: "workers",
          idleMs: 5000,
        },
      },
      factory: {
        kind: "mqtt",
        options: { endpoint: "mqtt://10.0.0.5:1883", topic: "factory/+/temperature" },
      },
    });
    expect(linksOf(dataflow)[4]).toMatchObject({ queueSize: 10, queuePolicy: "backpressure" });
    expect(dataflow.thresholds.latencyMs).toBe(5);
    expect(gateway?.thresholds).toEqual({ latencyMs: 1, memoryMb: 200, errorsPerMinute: 10 });
    expect(worker?.parameters).toEqual({ speed: 2, modes: ["fast", "safe"] });
  });
});

describe("values", () => {
  test("what is left out has dora-rs's defaults, and a delay between restarts", () => {
    expect(parseValid("nodes: [{ id: a, path: a.js }]").nodes[0]).toMatchObject({
      name: "a",
      build: [],
      restart: { policy: "never", restartsMax: 0, delayMs: 1000, delayMaxMs: 60_000, windowMs: 0 },
      healthCheckTimeoutMs: 0,
      finishGraceMs: 10_000,
    });
  });

  test("a delay longer than the default limit raises that", () => {
    const { restart } =
      parseValid(node("restart_policy: always, restart_delay: 90")).nodes[0] ?? {};
    expect(restart).toMatchObject({ delayMs: 90_000, delayMaxMs: 90_000 });
  });

  test("keys without a value count as left out", () => {
    const text = "env:\nnodes:\n  - id: a\n    path: a.js\n    inputs:\n    outputs:\n    args:\n";
    expect(parseValid(text).nodes[0]).toMatchObject({ inputs: [], outputs: [] });
  });

  test("numbers and truth values where a text is meant are the text that is written", () => {
    const [only] = parseValid(
      "nodes: [{ id: 1, path: a.js, name: 1.0, args: 0x10, min_log_level: INFO }]",
    ).nodes;
    expect(only).toMatchObject({ id: "1", name: "1.0", source: { args: ["0x10"] } });
    expect(only?.minLogLevel).toBe("info");
  });

  test("variables keep large numbers, and are expanded; a node's win in its path", () => {
    const text = `env: { BASE: $HOME/run, BIG: 12345678901234567890 }
nodes: [{ id: a, path: "$BASE/\${BIN}", args: $HOME, env: { BIN: tool, OWN: { __dora_env: HOME } } }]`;
    const dataflow = parseValid(text, { HOME: "/home/ann", BIN: "other" });
    expect(dataflow.environment).toEqual({ BASE: "/home/ann/run", BIG: "12345678901234567890" });
    expect(dataflow.nodes[0]).toMatchObject({
      // As in dora-rs, arguments are not expanded.
      source: { path: "/home/ann/run/tool", args: ["$HOME"] },
      environment: { BIN: "tool", OWN: "/home/ann" },
    });
  });

  test("anchors and merge keys are followed", () => {
    const text = `nodes:
  - &base { id: a, path: a.js, env: { X: 1 } }
  - { <<: *base, id: b }`;
    expect(parseValid(text).nodes[1]).toMatchObject({ id: "b", environment: { X: "1" } });
  });

  test("all logs are meant where no level is given, raw output too", () => {
    const [source] = parseValid(node("inputs: { all: dora/logs }")).nodes[0]?.inputs ?? [];
    expect(source?.source).toEqual({ kind: "logs", level: "stdout", node: undefined });
  });

  test("names that every object has are names like others", () => {
    const [only] = parseValid(
      "nodes: [{ id: constructor, path: a.js, inputs: { toString: constructor/valueOf }, outputs: [valueOf] }]",
    ).nodes;
    expect(only?.inputs).toMatchObject([{ id: "toString", source: { output: "valueOf" } }]);
  });

  test("an operator's keys for its process are its node's, its format its outputs'", () => {
    const text = `nodes:
  - id: a
    operator: { javascript: a.js, outputs: [out], send_stdout_as: out, min_log_level: warn, data_format: arrow }`;
    expect(parseValid(text).nodes[0]).toMatchObject({ sendStdoutAs: "out", minLogLevel: "warn" });
  });
});
