import { describe, expect, test } from "vitest";
import { FILE_BYTES_MAX } from "../../../src/runtime/dataflow/file-text.ts";
import { NODES_MAX, PORTS_MAX } from "../../../src/runtime/dataflow/file-schema.ts";
import { FINDINGS_MAX } from "../../../src/runtime/dataflow/finding.ts";
import { parseDataflow } from "../../../src/runtime/dataflow/parse-dataflow.ts";
import { parseValid, problemsOf, warningsOf } from "./parse.ts";

/** A sender, then a node with these keys from line 3 on. */
const withNode = (...keys: readonly string[]): string =>
  ["nodes:", "  - { id: cam, path: c.js, outputs: [image] }", ...keys.map(indent)].join("\n");

const indent = (key: string, index: number): string => `  ${index === 0 ? "- " : "  "}${key}`;

/** A node with one input of these keys, at line 6. */
const withInput = (input: string): string =>
  withNode("id: a", "path: a.js", "inputs:", `  in: ${input}`);

test("all problems are told at once, in the order of the file", () => {
  const text = `nodes:
  - id: cam
    path: c.js
    restart_policy: sometimes
    inputs: { tick: dora/timer/millis/0, ok: dora/timer/secs/1 }
    outputs: [image, image]
  - id: a
    paht: a.js
    inputs:
      one: came/image
      two: cam/imgae
      three: { source: cam/image, queue_size: 0 }
default_data_formta: arrow`;
  expect(problemsOf(text)).toEqual([
    '4:21 wrong-value `restart_policy` is "sometimes": give never, on-failure or always',
    '5:21 wrong-value "dora/timer/millis/0" is no timer of a day at most: give such as dora/timer/millis/100, in secs, millis, micros, nanos or hz',
    "6:22 duplicate there are two outputs `image`: leave one out",
    "7:5 missing-key node `a` has nothing to run: give `path` or `operators`",
    '8:5 unknown-key unknown key `paht`, did you mean "path"?',
    '10:12 unknown-name there is no node `came`, did you mean "cam"?',
    '11:12 unknown-name node `cam` has no output `imgae`, did you mean "image"?',
    "12:47 wrong-value `queue_size` is 0: a queue holds 1 message at least",
    '13:1 unknown-key unknown key `default_data_formta`, did you mean "default_data_format"?',
  ]);
});

test("a problem says how much of its line is meant", () => {
  const result = parseDataflow(withInput("came/image"), { environment: {} });
  expect(result).toMatchObject({ problems: [{ line: 6, column: 11, length: 10 }] });
});

describe("the file as a whole", () => {
  test.each([
    ["", "1:1 wrong-value the file is empty: a dataflow file is a map with `nodes`"],
    ["[]", "1:1 wrong-value the file is a list: a dataflow file is a map with `nodes`"],
    ["env: {}", "1:1 missing-key `nodes` is missing: give a list of nodes"],
    ["nodes:", "1:7 missing-key `nodes` is missing: give a list of nodes"],
    ["nodes: []", "1:8 wrong-value `nodes` is a list: a dataflow has one node at least"],
    ["nodes: 5", "1:8 wrong-value `nodes` is 5: give a list of nodes"],
    ["nodes: [5]", "1:9 wrong-value this entry is 5: a node is a map with an `id`"],
    ["nodes:\n  - id: a\n  path: x", "3:1 yaml all mapping items must start at the same column"],
    ["nodes: [1", "1:10 yaml flow sequence in block collection must be sufficiently indented"],
    ["a: 1\n---\nb: 2", "2:1 yaml source contains multiple documents"],
    ["nodes: []\nnodes: []", "2:1 duplicate the key `nodes` stands here a second time: keep one"],
    ["nodes: [*no]", "1:9 yaml there is no anchor `&no` before this alias: write it out"],
    ["nodes: [*no, &no {}]", "1:9 yaml there is no anchor `&no` before this alias"],
    ["nodes: !strange []", "1:8 yaml unresolved tag: !strange"],
  ])("%j", (text, problem) => {
    expect(problemsOf(text)).toContainEqual(expect.stringContaining(problem));
  });

  test("a file that is too large, too deep, or grows by its aliases is refused in time", () => {
    const large = "#".repeat(FILE_BYTES_MAX + 1);
    const deep = `nodes: ${"[".repeat(20_000)}`;
    const rows = "a b c d e f g h".split(" ").map((name, index, names) => {
      const inner = index === 0 ? "x" : `*${names[index - 1]}`;
      return `${name}: &${name} [${`${inner}, `.repeat(9)}]`;
    });
    expect(problemsOf(large)).toEqual([
      `1:1 limit the file is larger than ${FILE_BYTES_MAX} bytes: leave data to files of its own`,
    ]);
    expect(problemsOf(deep)[0]).toContain("limit the file's values are nested too deep");
    expect(problemsOf(rows.join("\n"))[0]).toContain("limit the file's aliases repeat");
    expect(problemsOf("nodes: &all { nodes: *all }")[0]).toBeDefined();
  });

  test("too many nodes, inputs and outputs are refused by names of their limits", () => {
    const many = (count: number, of: (index: number) => string): string =>
      Array.from({ length: count }, (_, index) => of(index)).join(", ");
    const nodes = `nodes: [${many(NODES_MAX + 1, (index) => `{ id: n${index}, path: x }`)}]`;
    const inputs = withNode(
      "id: a",
      "path: x",
      `inputs: {${many(PORTS_MAX + 1, (index) => `i${index}: cam/image`)}}`,
    );
    const outputs = withNode(
      "id: a",
      "path: x",
      `outputs: [${many(PORTS_MAX + 1, (index) => `o${index}`)}]`,
    );
    expect(problemsOf(nodes)).toEqual([
      "1:8 limit `nodes` is too long: a dataflow has 1000 nodes at most",
    ]);
    expect(problemsOf(inputs)).toEqual([
      "5:13 limit `inputs` is too long: a node has 1000 inputs at most",
    ]);
    expect(problemsOf(outputs)).toEqual([
      "5:14 limit `outputs` is too long: a node has 1000 outputs at most",
    ]);
  });

  test(`more than ${FINDINGS_MAX} problems are not listed`, () => {
    const keys = Array.from({ length: 5000 }, (_, index) => `x${index}: 1`).join("\n");
    expect(problemsOf(keys)).toHaveLength(FINDINGS_MAX);
    expect(problemsOf(`nodes: [${"*no, ".repeat(500)}]`)).toHaveLength(FINDINGS_MAX);
  });
});

describe("the name of a dataflow", () => {
  test.each(["shop", "MyDataflow", "_1.b-c", "x".repeat(100)])("%j is one", (name) => {
    const text = `name: ${JSON.stringify(name)}\nnodes: [{ id: a, path: a.js }]`;
    expect(problemsOf(text)).toEqual([]);
    expect(parseValid(text).name).toBe(name);
  });

  test.each(["my flow", "-a", ".a", "a/b", "x".repeat(101), ""])("%j is none", (name) => {
    const text = `name: ${JSON.stringify(name)}\nnodes: [{ id: a, path: a.js }]`;
    expect(problemsOf(text)).toEqual([
      expect.stringMatching(/^1:7 wrong-value .*a name has at most 100/),
    ]);
  });
});

describe("ids", () => {
  const RULE = "an id has at most 128 letters, digits, `_`, `-` and `.`, the latter not first";
  test.each([
    ["a b", RULE],
    [".hidden", RULE],
    ["a/b", RULE],
    ['""', RULE],
    ["x".repeat(129), RULE],
    ["dora", "`dora` is taken by virtual inputs: give another id"],
  ])("%j is no node's id", (id, advice) => {
    const [problem, ...more] = problemsOf(`nodes: [{ id: ${id}, path: x }]`);
    expect(problem).toContain(`1:15 wrong-value \`id\` is "`);
    expect(problem).toContain(advice);
    expect(more).toEqual([]);
  });

  test.each(["a", "A-1_b.c", "dora-node", "Dora", "0", "x".repeat(128)])("%j is one", (id) => {
    expect(problemsOf(`nodes: [{ id: ${id}, path: x }]`)).toEqual([]);
  });

  test("a node without one is told where it begins, and two of one where the second is", () => {
    expect(problemsOf("nodes:\n  - path: x")).toEqual([
      "2:5 missing-key `id` is missing: give an id: letters, digits, `_`, `-` and `.`",
    ]);
    expect(problemsOf(withNode("id: cam", "path: x"))).toEqual([
      "3:9 duplicate there are two nodes `cam`: rename one",
    ]);
  });

  test("inputs, outputs and variables have names too", () => {
    expect(problemsOf(withNode("id: a", "path: x", "inputs: { /x: cam/image }"))).toEqual([
      "5:15 wrong-value `/x` is no name here: an id has letters, digits, `_`, `-` and `.`",
    ]);
    expect(problemsOf(withNode("id: a", "path: x", "outputs: [a//b]"))).toEqual([
      '5:15 wrong-value this entry is "a//b": an id has letters, digits, `_`, `-` and `.`',
    ]);
    expect(problemsOf(withNode("id: a", "path: x", 'env: { "A=B": 1 }'))).toEqual([
      "5:12 wrong-value `A=B` is no name here: the name of a variable has no `=` and no white space",
    ]);
  });
});

describe("inputs", () => {
  test.each([
    ["came/image", 'there is no node `came`, did you mean "cam"?'],
    ["zzzzzz/image", "there is no node `zzzzzz`: there are cam, a"],
    ["cam/zzzzzz", "node `cam` has no output `zzzzzz`: it has image"],
    ["a/out", "node `a` has no output `out`: it has none"],
    ["cam", '"cam" is no source: give node/output'],
    ["cam/", '"cam/" is no source: give node/output'],
    ["cam/a b", '"cam/a b" is no source: give node/output'],
    ["dora/tick", '"dora/tick" is unknown: give dora/timer/millis/100 or dora/logs'],
    ["dora/logs/loud", '"dora/logs/loud" is unknown: give'],
    ["dora/logs/info/zzzzzz", "there is no node `zzzzzz`: there are cam, a"],
    ["dora/logs/info/cma", 'there is no node `cma`, did you mean "cam"?'],
    ["dora/timer/hz/0", '"dora/timer/hz/0" is no timer of a day at most'],
    ["5", "`in` is 5: give node/output, or a map with `source`"],
    ["[cam/image]", "`in` is a list: give node/output, or a map with `source`"],
  ])("%s: %s", (source, problem) => {
    const found = problemsOf(withInput(source));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain("6:11 ");
    expect(found[0]).toContain(problem);
  });

  test.each([
    ["queue_size: abc", '6:44 wrong-value `queue_size` is "abc": give a whole number'],
    ["queue_size: 1.5", "6:44 wrong-value `queue_size` is 1.5: give a whole number"],
    ["queue_size: 1000001", "6:44 wrong-value `queue_size` is 1000001: a queue holds 1000000"],
    ["queue_policy: drop", '6:46 wrong-value `queue_policy` is "drop": give drop_oldest or'],
    ["input_timeout: -1", "6:47 wrong-value `input_timeout` is -1: give 0 or more seconds"],
    ["input_timeout: .inf", "6:47 wrong-value `input_timeout` is Infinity: give"],
    ["queue-size: 4", '6:32 unknown-key unknown key `queue-size`, did you mean "queue_size"?'],
    ["transport: pigeon", '6:43 wrong-value `transport` is "pigeon": give socket, tcp,'],
    ["transport: zenoh", "6:43 unsupported transport `zenoh` is not available in this version"],
    ["transport: { kind: quic, x: 1 }", "6:43 unsupported transport `quic` is not available"],
    ["transport: { kind: pigeon }", '6:51 wrong-value `kind` is "pigeon": give a `kind`: socket'],
    ["transport: { kind: tcp, topic: x }", "6:56 unknown-key unknown key `topic`"],
    ["transport: { kind: mqtt, topci: x }", 'unknown key `topci`, did you mean "topic"?'],
    ["transport: { kind: tcp, endpoint: 'ws://x' }", "begins with tcp:// or tls://"],
    ["transport: { kind: mqtt, topic: a+/b }", "`+` stands for a whole level"],
    ["transport: { kind: mqtt, topic: a/#/b }", "`#` for all that follow at the end"],
    ["transport: { kind: redis, mode: queue }", "give events (every receiver) or tasks"],
    ["transport: { kind: redis, idle_ms: 5 }", "`idle_ms` is 5: give 1000 or more"],
  ])("an input's %s", (key, problem) => {
    const found = problemsOf(withInput(`{ source: cam/image, ${key} }`));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(problem);
  });

  test("a long input names its source", () => {
    expect(problemsOf(withInput("{ queue_size: 5 }"))).toEqual([
      "6:11 missing-key `source` is missing: give node/output, dora/timer/millis/100 or dora/logs",
    ]);
  });

  test("what follows from another problem is not told as a second one", () => {
    const text = withNode("id: a", "path: x", "outputs: 5", "inputs: { own: a/out }");
    expect(problemsOf(text)).toEqual(["5:14 wrong-value `outputs` is 5: give a list of ids"]);
  });

  test("a source within an operator or `custom` is told where it stands", () => {
    const operator = withNode("id: a", "operator:", "  python: a.py", "  inputs: { in: cam/x }");
    const custom = withNode("id: a", "custom:", "  source: a", "  inputs: { in: cam/x }");
    const message = "6:21 unknown-name node `cam` has no output `x`, did you mean";
    for (const text of [operator, custom]) {
      expect(problemsOf(text)).toEqual([
        expect.stringContaining(message.slice(0, message.indexOf(","))),
      ]);
    }
  });
});

describe("nodes", () => {
  test.each([
    ["restart_delay: soon", '`restart_delay` is "soon": give seconds, such as 2.5'],
    ["restart_delay: 700000", "`restart_delay` is 700000: give at most 604800 seconds"],
    ["max_restarts: -1", "`max_restarts` is -1: give 0 or more"],
    ["finish_grace_secs: -1", "`finish_grace_secs` is -1: give 0 or more seconds"],
    ["health_check_timeout: no", '`health_check_timeout` is "no": give seconds'],
    ["restart_window: []", "`restart_window` is a list: give seconds"],
    ["cpu_affinity: 1", "`cpu_affinity` is 1: give a list of processors"],
    ["cpu_affinity: [a]", 'this entry is "a": give a whole number'],
    ["min_log_level: loud", '`min_log_level` is "loud": give error, warn, info, debug, trace'],
    ["name: [x]", "`name` is a list: give a text"],
    ["env: [A]", "`env` is a list: give a map of names to values"],
    ["env: { A: [x] }", "`A` is a list: give a text, a number, true or false"],
    ["env: { A: }", "`A` is empty: give a text, a number, true or false"],
    ["parameters: { p: { x: 1 } }", "`p` is a map: give a text, a number, true, false, or a list"],
    ["thresholds: { latency_ms: 0 }", "`latency_ms` is 0: give more than 0"],
    ["thresholds: { latency: 5 }", "unknown key `latency`: there are latency_ms, memory_mb"],
    ["data_format: json", '`data_format` is "json": give arrow, capnp, flatbuffers, avro'],
    ["data_format: capnp", "format `capnp` is not available in this version yet: give arrow"],
    ["data_format: flatbuffers", "format `flatbuffers` is not available in this version yet"],
    ["data_format: avro", "format `avro` is not available in this version yet"],
    ["outputs: [{ id: o, schema: 5 }]", "`schema` is 5: give a type, or a map of fields to types"],
    ["outputs: [{ schema: utf8 }]", "`id` is missing: give an id"],
    ["outputs: [{ id: o, type: utf8 }]", "unknown key `type`: there are id, schema"],
    ["output_framing: { o: zip }", '`o` is "zip": give raw or arrow-ipc'],
    ["send_stdout_as: text", "names no output of the node: add `text` to its `outputs`"],
    ["restart_policy: always, restart_delay: 9, max_restart_delay: 5", "exchange them"],
    ["args: it's", "a quote in `args` does not end: close it"],
    ["operator: { python: o.py }", "`operator` cannot stand beside `path`: a node runs one thing"],
    ["deploy: { where: x }", "unknown key `where`: there are machine, working_dir"],
    ["max_log_size: 50XB", '`max_log_size` is "50XB": give a size such as 50MB'],
    ["shared_memory_pool_size: [1]", "`shared_memory_pool_size` is a list: give a size such as"],
    ["_unstable_deplyo: x", "unknown key `_unstable_deplyo`"],
  ])("%s: %s", (keys, problem) => {
    const found = problemsOf(`nodes: [{ id: a, path: a.js, ${keys} }]`);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(problem);
  });

  test.each([
    ["", "node `a` has nothing to run: give `path` or `operators`"],
    ["path: ''", "the path is empty: give a file or a program"],
    ["path: 'https://example.org/node'", "a node is not loaded from an address"],
    ["operator: {}", "the operator has nothing to run: give `javascript` or `python`"],
    ["operator: { python: a.py, javascript: b.js }", "the operator has several things to run"],
    ["operator: { shared-library: a }", "`shared-library` is not supported: make the operator"],
    ["operator: { wasm: a }", "`wasm` is not supported: make the operator a node"],
    ["operator: { python: { source: a.py, conda_env: e } }", "`conda_env` is not supported"],
    ["operator: { python: a.py, pyton: b }", 'unknown key `pyton`, did you mean "python"?'],
    ["operator: { python: a.py }, outputs: [o]", "`outputs` cannot stand beside operators"],
    ["operators: [{ python: a.py }]", "`id` is missing: give an id"],
    ["operators: [{ id: x, python: a }, { id: x, python: b }]", "two operators `x` in this node"],
    ["operator: { python: a.py, data_format: avro }", "format `avro` is not available"],
    [
      "operators: [{ id: x, python: a, min_log_level: info }, { id: y, python: b, min_log_level: warn }]",
      "`min_log_level` is given by an operator before",
    ],
  ])("a node of %s: %s", (keys, problem) => {
    const found = problemsOf(`nodes: [{ id: a, ${keys} }]`);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(problem);
  });

  test.each([
    ["git: x, path: y", "clone it in `build`, and give `path`"],
    ["hub: x@1", "install the node in `build`, and give `path`"],
    ["module: m.yml", "write the module's nodes into this file"],
    ["ros2: { topic: /x }", "run a bridge as a node of its own, with `path`"],
    ["path: x, params: { p: 1 }", "give `parameters`"],
    ["path: x, path_sha256: 00", "fetch and check the file in `build`, and give `path`"],
  ])("what dora-rs has and we have not ends the start, once: %s", (keys, advice) => {
    const text = `nodes: [{ id: a, ${keys} }, { id: b, path: b, inputs: { in: a/out } }]`;
    const problems = problemsOf(text).filter((problem) => !problem.includes("no output"));
    expect(problems).toEqual([
      expect.stringMatching(/^1:\d+ unsupported `\w+` is not supported: /),
    ]);
    expect(problems[0]).toContain(advice);
  });
});

describe("warnings", () => {
  test.each([
    ["strict_types: true", "each output is held to its `schema`"],
    ["type_rules: [{ from: a, to: b }]", "types are not converted"],
    ["health_check_interval: 2", "health is looked at each second"],
    ["debug: { enable_debug_inspection: true }", "every link is observable without it"],
    ["deploy: { machine: m }", "a dataflow runs on one machine"],
    ["exit_when_nodes_finish: true", "a dataflow ends with its last node"],
  ])("the file's %s has no effect, which is told", (key, why) => {
    const [warning, ...more] = warningsOf(`nodes: [{ id: a, path: x }]\n${key}`);
    expect(warning).toMatch(/^2:1 unsupported `\w+` has no effect: /);
    expect(warning).toContain(why);
    expect(more).toEqual([]);
  });

  test.each([
    ["output_types: { o: std/media/v1/Image }", "declare `outputs: [{id, schema}]`"],
    ["input_types: { o: std/media/v1/Image }", "declare `outputs: [{id, schema}]`"],
    ["output_metadata: { o: [x] }", "metadata is not checked"],
    ["pattern: service-server", "metadata is not checked"],
    ["shared_memory_pool_size: 8MB", "grows as it is needed"],
    ["send_logs_as: o", "take records with an input from `dora/logs`"],
    ["max_log_size: 50MB", "records are kept in the log store"],
    ["max_rotated_files: 3", "records are kept in the log store"],
    ["deploy: { machine: m, labels: { gpu: 'yes' } }", "a dataflow runs on one machine"],
    ["max_restarts: 3", "give `restart_policy: on-failure` or `always`"],
    ["restart_policy: always, restart_window: 3", "without `max_restarts`"],
    ["env: { DORA_NODE_ID: x }", "is set by the daemon"],
    ["env: { A: $NOT_SET }", "`$NOT_SET` is not set here, and stands for nothing"],
    ["inputs: { t: { source: dora/logs, transport: tcp } }", "no effect on timers and logs"],
  ])("a node's %s", (keys, why) => {
    const [warning, ...more] = warningsOf(`nodes: [{ id: a, path: x, ${keys} }]`);
    expect(warning).toContain(why);
    expect(more).toEqual([]);
  });

  test("what is in effect anyway is not warned of", () => {
    const text = `exit_when_nodes_finish: false
nodes: [{ id: a, path: x, max_restarts: 0, restart_policy: never, outputs: [o], output_framing: { o: raw } }]`;
    expect(warningsOf(text)).toEqual([]);
  });

  test("arguments of what is not started have no effect", () => {
    expect(warningsOf("nodes: [{ id: a, path: dynamic, args: -x }]")[0]).toContain("`args`");
  });

  test("an output that only `send_logs_as` fills ends the start where it is read", () => {
    const text = `nodes:
  - { id: a, path: x, outputs: [logs], send_logs_as: logs }
  - { id: b, path: x, inputs: { in: a/logs } }`;
    expect(problemsOf(text)).toEqual([
      "3:37 unsupported nothing comes from `a/logs`, since `send_logs_as` is not supported: give dora/logs/info/a",
    ]);
  });
});

test("cycles, links to oneself and outputs that nobody reads are fine", () => {
  const text = `nodes:
  - { id: a, path: x, inputs: { b: b/out, own: a/out }, outputs: [out, unread] }
  - { id: b, path: x, inputs: { a: a/out }, outputs: [out] }`;
  expect(parseValid(text).nodes).toHaveLength(2);
  expect(warningsOf(text)).toEqual([]);
});
