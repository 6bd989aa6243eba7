import type { Dataflow, DataflowInput, DataflowNode } from "./dataflow.ts";
import { DEFAULT_TRANSPORT, linksOf } from "./dataflow.ts";

/**
 * A dataflow as a Mermaid flowchart: nodes by their names, timers and logs in shapes of their own,
 * links as `output → input`, with the transport where it is not the default.
 *
 * Shape:  names of the file stand in labels only, where whatever Mermaid or HTML could take for markup
 *         is written as a character code; ids are numbers.
 * Source: https://mermaid.js.org/syntax/flowchart.html "Entity codes to escape characters"
 */
export function toMermaid(dataflow: Dataflow): string {
  const lines = ["flowchart LR"];
  const idOf = new Map(dataflow.nodes.map(({ id }, index) => [id, `n${index}`]));
  for (const node of dataflow.nodes) {
    const [open, close] = node.source.kind === "dynamic" ? ["([", "])"] : ["[", "]"];
    lines.push(`  ${idOf.get(node.id)}${open}"${escapeLabel(nodeLabel(node))}"${close}`);
  }
  const sources = virtualSources(dataflow);
  for (const { id, label, isTimer } of sources.values()) {
    const [open, close] = isTimer ? ["((", "))"] : ["[(", ")]"];
    lines.push(`  ${id}${open}"${escapeLabel(label)}"${close}`);
  }
  for (const { source, target, transport } of linksOf(dataflow)) {
    const by = transport.kind === DEFAULT_TRANSPORT ? "" : ` (${transport.kind})`;
    const label = escapeLabel(`${source.output} → ${target.input}${by}`);
    lines.push(`  ${idOf.get(source.node)} -- "${label}" --> ${idOf.get(target.node)}`);
  }
  for (const node of dataflow.nodes) {
    for (const input of node.inputs) {
      const source = sources.get(virtualLabel(input) ?? "");
      if (source === undefined) continue;
      lines.push(`  ${source.id} -. "${escapeLabel(input.id)}" .-> ${idOf.get(node.id)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

interface VirtualSource {
  readonly id: string;
  readonly label: string;
  readonly isTimer: boolean;
}

/** Each timer and each filter of logs once, by its label. */
function virtualSources({ nodes }: Dataflow): ReadonlyMap<string, VirtualSource> {
  const sources = new Map<string, VirtualSource>();
  for (const input of nodes.flatMap(({ inputs }) => inputs)) {
    const label = virtualLabel(input);
    if (label === undefined || sources.has(label)) continue;
    const isTimer = input.source.kind === "timer";
    sources.set(label, { id: `v${sources.size}`, label, isTimer });
  }
  return sources;
}

function virtualLabel({ source }: DataflowInput): string | undefined {
  switch (source.kind) {
    case "output":
      return undefined;
    case "timer":
      return `every ${durationText(source.intervalNs)}`;
    case "logs":
      return `logs: ${source.level}${source.node === undefined ? "" : ` of ${source.node}`}`;
  }
}

/** In the coarsest unit that leaves no long fraction. */
function durationText(ns: number): string {
  for (const [unit, size] of [
    ["s", 1e9],
    ["ms", 1e6],
    ["us", 1e3],
  ] as const) {
    if (ns >= size) return `${Number((ns / size).toFixed(3))} ${unit}`;
  }
  return `${ns} ns`;
}

function nodeLabel({ id, name }: DataflowNode): string {
  return name === id ? id : `${name} (${id})`;
}

/** Everything but letters, digits and harmless signs as a code: no quote, tag, code span or entity is left. */
function escapeLabel(text: string): string {
  return text.replaceAll(
    /[^\p{L}\p{M}\p{N} _.,:()→-]/gu,
    (character) => `#${character.codePointAt(0)};`,
  );
}
