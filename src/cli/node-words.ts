/** How states and figures of nodes are said, in every table. */
import type { NodeState } from "../runtime/protocol/status.ts";
import type { Style } from "./terminal-look.ts";

const STYLES: { readonly [state in NodeState]?: Style } = {
  running: "success",
  completed: "success",
  stopped: "dim",
  failed: "error",
};

/** `Running` */
export function stateWord(state: NodeState): string {
  return state.charAt(0).toUpperCase() + state.slice(1);
}

/** By what colour a state stands out; the rest is on its way to one of these. */
export function stateStyle(state: NodeState): Style {
  return STYLES[state] ?? "warning";
}

/** `10k msgs/s`, `1.2k msgs/s`, `25 msgs/s`, `0.5 msgs/s`; above a thousand in two digits at least. */
export function rateText(perSecond: number): string {
  const number = perSecond >= 999.5 ? `${rounded(perSecond / 1000)}k` : `${rounded(perSecond)}`;
  return `${number} msgs/s`;
}

/** `3ms`, `0.15ms`; null where nothing was measured. */
export function latencyText(nanoseconds: number | null): string | null {
  return nanoseconds === null ? null : `${Number((nanoseconds / 1e6).toPrecision(2))}ms`;
}

function rounded(value: number): number {
  return value >= 10 ? Math.round(value) : Math.round(value * 10) / 10;
}
