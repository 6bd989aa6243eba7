/** The stages of `dora start` and `dora build` as lines, as users were shown them. */
import type { ViewLine } from "./live-lines.ts";
import type { Piece } from "./output.ts";
import type {
  BuildProgress,
  LinkProgress,
  NodeProgress,
  PlannedLink,
  PlannedNode,
  StartProgress,
} from "./start-progress.ts";
import { hasFailedBuild, isSettled } from "./start-progress.ts";
import type { Icons, Style } from "./terminal-look.ts";
import { cleanLine, displayWidth } from "./terminal-text.ts";

const NODE_BAR_CELLS = 20;
const LINK_BAR_CELLS = 13;
/** The cell that shows that a command goes on moves by one in so long. */
const MOVE_MS = 200;
const INDENT = "    ";

export interface StartView {
  readonly icons: Icons;
  /** By the clock of the progress. */
  readonly nowMs: number;
  /** It is drawn again and again: what is at work is seen to move. */
  readonly isAnimated: boolean;
}

/** `0.3s` */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)}s`;
}

/**
 * All stages so far. A line is final once nothing that may come changes it.
 *
 *     🔧 Building nodes:
 *         Node A    ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓ 100% [✅ done in 1.2s]
 *
 *     📡 Establishing connections:
 *         Node A ➔ Node B  ▓▓▓▓▓▓▓▓▓▓▓▓▓ 100% [✅ done in 0.3s]
 *
 *     🚀 Starting dataflow:
 *         Node A [✔ running]
 */
export function renderStart(progress: StartProgress, view: StartView): readonly ViewLine[] {
  const lines = [...renderBuilds(progress, view)];
  // After a failed build nothing is connected or started.
  if (!progress.isLaunched || hasFailedBuild(progress)) return lines;
  return [
    ...lines,
    blank,
    ...renderLinks(progress, view),
    blank,
    final(`${view.icons.launch} Starting dataflow:`),
    ...progress.plan.nodes.map((node) => nodeLine(node, progress, view)),
  ];
}

/** The bars of `build` lines. A percentage is lines done of all; within a line there is movement and time. */
export function renderBuilds(progress: StartProgress, view: StartView): readonly ViewLine[] {
  const { plan, builds, isLaunched } = progress;
  const { icons } = view;
  const heading = `${icons.tool} Building nodes:`;
  if (!plan.isWithBuild) return [final(`${heading} [left out]`)];
  if (builds.size === 0) {
    const isOver = isLaunched || isSettled(progress);
    return [isOver ? final(`${heading} [${icons.tick} nothing to build]`) : open(heading)];
  }
  const rows = plan.nodes.flatMap(({ id, name }) => {
    const build = builds.get(id);
    return build === undefined ? [] : [{ name: cleanLine(name), build }];
  });
  const width = Math.max(...rows.map(({ name }) => displayWidth(name)));
  return [
    final(heading),
    ...rows.map(({ name, build }) =>
      buildLine(padName(name, width), build, view, isSettled(progress)),
    ),
  ];
}

function buildLine(name: string, build: BuildProgress, view: StartView, isOver: boolean): ViewLine {
  const { icons, nowMs } = view;
  const { state, linesDone, linesTotal } = build;
  const isMoving = state === "building" && !isOver;
  const elapsedMs = build.elapsedMs + (isMoving ? nowMs - build.seenMs : 0);
  const fraction = state === "done" ? 1 : linesDone / Math.max(linesTotal, 1);
  const bar = renderBar(fraction, NODE_BAR_CELLS, view, isMoving ? elapsedMs : undefined);
  const line = (text: string, style: Style): readonly Piece[] => [
    `${INDENT}${name}${INDENT}`,
    { text: bar, style },
    ` ${percent(fraction)} `,
    { text: `[${text}]`, style },
  ];
  switch (state) {
    case "done":
      return {
        pieces: line(`${icons.tick} done in ${seconds(elapsedMs)}`, "success"),
        isFinal: true,
      };
    case "failed":
      return {
        pieces: line(`${icons.cross} Error, ${seconds(elapsedMs)} elapsed`, "error"),
        isFinal: true,
      };
    case "building":
    case "waiting": {
      if (isOver) return { pieces: line(`${icons.gaveUp} not built`, "warning"), isFinal: true };
      const word = state === "waiting" ? "waiting" : `building, ${seconds(elapsedMs)} elapsed`;
      return { pieces: line(`${icons.busy} ${word}`, "warning"), isFinal: false };
    }
  }
}

function renderLinks(progress: StartProgress, view: StartView): readonly ViewLine[] {
  const { links } = progress.plan;
  const { icons } = view;
  const heading = `${icons.links} Establishing connections:`;
  if (links.length === 0) return [final(`${heading} [${icons.tick} nothing to connect]`)];
  const rows = links.map((link) => ({ link, name: linkName(link, progress, icons) }));
  const width = Math.max(...rows.map(({ name }) => displayWidth(name)));
  return [
    final(heading),
    ...rows.map(({ link, name }) => linkLine(padName(name, width), link, progress, view)),
  ];
}

function linkLine(
  name: string,
  planned: PlannedLink,
  progress: StartProgress,
  view: StartView,
): ViewLine {
  const { icons } = view;
  const isOver = isSettled(progress);
  const link: LinkProgress = progress.links.get(planned.link) ?? {
    state: "connecting",
    elapsedMs: 0,
    seenMs: view.nowMs,
  };
  const isMoving = link.state === "connecting" && !isOver;
  const elapsedMs = link.elapsedMs + (isMoving ? view.nowMs - link.seenMs : 0);
  const fraction = link.state === "connected" ? 1 : 0;
  const bar = renderBar(fraction, LINK_BAR_CELLS, view, isMoving ? elapsedMs : undefined);
  const line = (text: string, style: Style): readonly Piece[] => [
    `${INDENT}${name}  `,
    { text: bar, style },
    ` ${percent(fraction)} `,
    { text: `[${text}]`, style },
  ];
  switch (link.state) {
    case "connected":
      return {
        pieces: line(`${icons.tick} done in ${seconds(elapsedMs)}`, "success"),
        isFinal: true,
      };
    case "failed":
      return {
        pieces: line(`${icons.cross} Error, ${link.message ?? "it cannot be made"}`, "error"),
        isFinal: isOver,
      };
    case "connecting": {
      if (!isOver) {
        const text = `${icons.busy} connecting, ${seconds(elapsedMs)} elapsed`;
        return { pieces: line(text, "warning"), isFinal: false };
      }
      const byHand = progress.plan.nodes.find(
        ({ id, isDynamic }) => isDynamic && [planned.source.node, planned.target.node].includes(id),
      );
      const text =
        byHand === undefined || !progress.hasRun
          ? `${icons.gaveUp} not connected`
          : `${icons.loading} waits for ${byHand.name}`;
      return { pieces: line(text, "warning"), isFinal: true };
    }
  }
}

function nodeLine(node: PlannedNode, progress: StartProgress, view: StartView): ViewLine {
  const known = progress.nodes.get(node.id);
  const { text, style, isFinal } = nodeWords(node, known, progress, view);
  return { pieces: [`${INDENT}${node.name} `, { text: `[${text}]`, style }], isFinal };
}

function nodeWords(
  node: PlannedNode,
  known: NodeProgress | undefined,
  progress: StartProgress,
  { icons, nowMs }: StartView,
): { readonly text: string; readonly style: Style; readonly isFinal: boolean } {
  const isOver = isSettled(progress);
  switch (known?.state) {
    case "running":
      return { text: `${icons.live} running`, style: "success", isFinal: true };
    case "completed":
      return { text: `${icons.tick} completed`, style: "success", isFinal: true };
    case "failed": {
      const why = known.end?.message ?? "unknown";
      return { text: `${icons.cross} failed: ${why}`, style: "error", isFinal: true };
    }
    case "stopped":
    case "paused":
      return { text: known.state, style: "warning", isFinal: isOver };
    case undefined:
    case "building":
    case "starting":
    case "restarting":
    case "stopping": {
      if (isOver && node.isDynamic) {
        const text = `${icons.loading} waits to be started by hand`;
        return { text, style: "info", isFinal: true };
      }
      const state = known?.state ?? "starting";
      const elapsed = seconds(nowMs - (known?.beganMs ?? nowMs));
      const text = isOver ? state : `${icons.busy} ${state}, ${elapsed} elapsed`;
      return { text, style: "warning", isFinal: isOver };
    }
  }
}

/** `Node A ➔ Node B`; with output and input where the two have several links. */
function linkName({ source, target }: PlannedLink, { plan }: StartProgress, icons: Icons): string {
  const nameOf = (id: string): string => plan.nodes.find((node) => node.id === id)?.name ?? id;
  const alike = plan.links.filter(
    (other) => other.source.node === source.node && other.target.node === target.node,
  );
  const [output, input] = alike.length === 1 ? ["", ""] : [`/${source.output}`, `/${target.input}`];
  return cleanLine(`${nameOf(source.node)}${output} ${icons.arrow} ${nameOf(target.node)}${input}`);
}

/** One cell at least is full, so that a bar can be seen; `workedMs` of one that is at work. */
function renderBar(
  fraction: number,
  cells: number,
  { icons, isAnimated }: StartView,
  workedMs: number | undefined,
): string {
  const full = Math.max(1, Math.floor(fraction * cells));
  const rest = cells - full;
  if (!isAnimated || workedMs === undefined || rest === 0) {
    return icons.full.repeat(full) + " ".repeat(rest);
  }
  const at = Math.floor(workedMs / MOVE_MS) % rest;
  return icons.full.repeat(full) + " ".repeat(at) + icons.partly + " ".repeat(rest - at - 1);
}

function percent(fraction: number): string {
  return `${Math.floor(fraction * 100)}%`.padEnd(4);
}

function padName(name: string, width: number): string {
  return name + " ".repeat(width - displayWidth(name));
}

const blank: ViewLine = { pieces: [], isFinal: true };

function final(text: string): ViewLine {
  return { pieces: [text], isFinal: true };
}

function open(text: string): ViewLine {
  return { pieces: [text], isFinal: false };
}
