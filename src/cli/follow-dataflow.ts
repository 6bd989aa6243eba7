import { setTimeout as sleep } from "node:timers/promises";
import { isEnded } from "../runtime/coordinator/dataflow-registry.ts";
import type { RuntimeEvent } from "../runtime/protocol/status.ts";
import type { CoordinatorEvents } from "./coordinator-events.ts";
import { LiveLines } from "./live-lines.ts";
import type { ViewLine } from "./live-lines.ts";
import type { Output } from "./output.ts";
import type { StartView } from "./render-start.ts";
import { advance, isSettled } from "./start-progress.ts";
import type { StartProgress } from "./start-progress.ts";

/** How often bars move on a terminal. */
const REDRAW_MS = 100;

/** Draws a progress; `renderStart`, `renderBuilds`, or nothing. */
export type Render = (progress: StartProgress, view: StartView) => readonly ViewLine[];

/**
 * Follows a start or a build to its end, well or not, and shows how it goes. Where it is aborted it gives what
 * it knows by then.
 *
 * Errors: `COORDINATOR_UNREACHABLE` where the coordinator goes away.
 */
export async function followStart(
  events: CoordinatorEvents,
  { dataflow, progress }: { readonly dataflow: string; readonly progress: StartProgress },
  { output, render, signal }: FollowOptions,
): Promise<StartProgress> {
  const lines = new LiveLines(output);
  const { isTerminal, isDumb, icons } = output.look;
  const isAnimated = isTerminal && !isDumb;
  let current = progress;
  const show = (): Promise<void> =>
    lines.show(render(current, { icons, nowMs: performance.now(), isAnimated }));
  const own = eventsOf(events, dataflow, signal);
  let next = own.next();
  await show();
  while (!isSettled(current)) {
    const tick = new AbortController();
    const result = isAnimated
      ? await Promise.race([
          next,
          sleep(REDRAW_MS, undefined, { signal: tick.signal }).catch(() => undefined),
        ])
      : await next;
    tick.abort();
    if (result?.done === true) break;
    if (result !== undefined) {
      current = advance(current, result.value, performance.now());
      if (!isSettled(current)) next = own.next();
    }
    await show();
  }
  return current;
}

interface FollowOptions {
  readonly output: Output;
  readonly render: Render;
  readonly signal: AbortSignal;
}

/**
 * Follows a dataflow until it has ended; gives what is known then, or when it is aborted.
 *
 * Errors: `COORDINATOR_UNREACHABLE`
 */
export async function followEnd(
  events: CoordinatorEvents,
  { dataflow, progress }: { readonly dataflow: string; readonly progress: StartProgress },
  signal: AbortSignal,
): Promise<StartProgress> {
  let current = progress;
  if (hasEnded(current)) return current;
  for await (const event of eventsOf(events, dataflow, signal)) {
    current = advance(current, event, performance.now());
    if (hasEnded(current)) break;
  }
  return current;
}

export function hasEnded({ state }: StartProgress): boolean {
  return state !== undefined && isEnded(state);
}

/** What is told of one dataflow. */
export async function* eventsOf(
  events: CoordinatorEvents,
  dataflow: string,
  signal: AbortSignal,
): AsyncGenerator<RuntimeEvent, void> {
  for await (const frame of events.frames(signal)) {
    if (frame.type === "event" && frame.event.dataflow === dataflow) yield frame.event;
  }
}
