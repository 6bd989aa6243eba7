/** What this machine's disk tells of a runtime whose coordinator does not answer. */
import { stateFilePath, stateFolder } from "../runtime/coordinator/state-folder.ts";
import { readLastState } from "../runtime/coordinator/state-file.ts";
import type { DataflowStatus } from "../runtime/protocol/status.ts";
import { stateWord } from "./node-words.ts";
import type { Piece } from "./output.ts";
import { PidFile } from "./pid-file.ts";
import type { Icons } from "./terminal-look.ts";

export interface LastKnown {
  /** Of the daemon that `dora up` started, where it runs: then its dataflows go on. */
  readonly daemonPid: number | undefined;
  readonly stateFile: string;
  /** Undefined where no coordinator has written its state yet. */
  readonly writtenAtUnixMs: number | undefined;
  /** What ran then. */
  readonly flows: readonly DataflowStatus[];
}

export async function readLastKnown(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<LastKnown> {
  const stateFile = stateFilePath(environment);
  const [state, daemonPid] = await Promise.all([
    readLastState(stateFile),
    new PidFile(stateFolder(environment), "daemon").runningPid(),
  ]);
  const flows = state?.wanted.map(({ status }) => status) ?? [];
  return { daemonPid, stateFile, writtenAtUnixMs: state?.writtenAtUnixMs, flows };
}

/**
 *     ❌ Coordinator: none at http://127.0.0.1:6015
 *     ✔ Daemon: running (pid 4712): its dataflows go on without a coordinator
 *     Last known, of 2026-11-23T08:20:47.000Z:
 *         vision (Running, id 01a2...)
 */
export function renderLastKnown(
  { daemonPid, writtenAtUnixMs, flows }: LastKnown,
  url: string,
  icons: Icons,
): readonly (readonly Piece[])[] {
  const daemon: readonly Piece[] =
    daemonPid === undefined
      ? [{ text: icons.failed, style: "error" }, " Daemon: none that `dora up` started runs"]
      : [
          { text: icons.live, style: "success" },
          ` Daemon: running (pid ${daemonPid}): its dataflows go on without a coordinator`,
        ];
  const lines: (readonly Piece[])[] = [
    [{ text: icons.failed, style: "error" }, ` Coordinator: none at ${url}`],
    daemon,
  ];
  if (writtenAtUnixMs === undefined || flows.length === 0) {
    lines.push(["No dataflow was last known to run."]);
    return lines;
  }
  lines.push([`Last known, of ${new Date(writtenAtUnixMs).toISOString()}:`]);
  for (const { name, state, id } of flows) {
    lines.push([`    ${name} (${stateWord(state)}, id ${id})`]);
  }
  return lines;
}

export function lastKnownDocument(known: LastKnown, url: string): object {
  const { daemonPid, writtenAtUnixMs, stateFile, flows } = known;
  return {
    dataflows: flows.length,
    nodes: [],
    coordinator: { status: "Unreachable", url },
    daemons: daemonPid === undefined ? [] : [{ status: "Running", pid: daemonPid }],
    lastKnown: {
      stateFile,
      writtenAtUnixMs: writtenAtUnixMs ?? null,
      dataflows: flows.map(({ id, name, state }) => ({ id, name, status: stateWord(state) })),
    },
  };
}
