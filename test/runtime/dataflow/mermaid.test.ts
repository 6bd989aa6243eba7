import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { toMermaid } from "../../../src/runtime/dataflow/mermaid.ts";
import { parseValid } from "./parse.ts";

const FIXTURE = new URL("../../fixtures/dataflow/camera.yml", import.meta.url);

test("nodes, links, timers and logs have shapes of their own", () => {
  expect(toMermaid(parseValid(readFileSync(FIXTURE, "utf8")))).toBe(`flowchart LR
  n0["Front camera (webcam)"]
  n1["detector"]
  n2(["plot"])
  v0(("every 100 ms"))
  v1[("logs: error")]
  v2[("logs: info of detector")]
  n0 -- "image → image" --> n1
  n0 -- "image → image" --> n2
  n1 -- "boxes → boxes" --> n2
  v0 -. "tick" .-> n0
  v1 -. "errors" .-> n2
  v2 -. "detector" .-> n2
`);
});

test("a transport is named where it is not the default one, a timer's interval in its unit", () => {
  const text = `nodes:
  - id: a
    path: a
    outputs: [out]
    inputs:
      t1: dora/timer/hz/30
      t2: dora/timer/nanos/5
      t3: dora/timer/secs/90
      t4: dora/timer/micros/250
      t5: dora/timer/secs/90
      own: { source: a/out, transport: { kind: mqtt, topic: x } }`;
  const lines = toMermaid(parseValid(text)).split("\n");
  expect(lines.filter((line) => line.includes("(("))).toEqual([
    '  v0(("every 33.333 ms"))',
    '  v1(("every 5 ns"))',
    '  v2(("every 90 s"))',
    '  v3(("every 250 us"))',
  ]);
  expect(lines).toContain('  n0 -- "out → own (mqtt)" --> n0');
});

test("a name can neither end its label nor bring markup, links or styles with it", () => {
  const name = '"]\nclick n0 "javascript:alert(1)" <img src=x>`b`#quot;&amp;%%{init}%% é東';
  const text = `nodes: [{ id: a_b, path: a, name: ${JSON.stringify(name)} }]`;
  const [, line = "", ...rest] = toMermaid(parseValid(text)).split("\n");
  expect(rest).toEqual([""]);
  expect(line).toMatch(/^ {2}n0\["[^"]*"\]$/);
  const label = line.slice('  n0["'.length, -'"]'.length);
  expect(label.replaceAll(/#\d+;/g, "")).toMatch(/^[\p{L}\p{N}_ .,:()→-]*$/u);
  const shown = label.replaceAll(/#(\d+);/g, (_, code: string) =>
    String.fromCodePoint(Number(code)),
  );
  expect(shown).toBe(`${name} (a_b)`);
});
