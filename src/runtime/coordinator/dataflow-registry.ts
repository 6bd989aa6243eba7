import { AppError } from "../../core/errors.ts";
import type { DataflowState, DataflowStatus, RuntimeEvent } from "../protocol/status.ts";
import { ENDED_MAX, RUNNING_MAX } from "./limits.ts";
import type { CoordinatorState, KnownDataflow } from "./state-file.ts";

const ENDED_STATES: ReadonlySet<DataflowState> = new Set(["completed", "stopped", "failed"]);

export function isEnded(state: DataflowState): boolean {
  return ENDED_STATES.has(state);
}

/**
 * The dataflows that a coordinator knows: what runs as its daemon last said, and the last
 * `ENDED_MAX` that have ended. `onChange` is told of what must survive a restart.
 */
export class DataflowRegistry {
  readonly #running = new Map<string, KnownDataflow>();
  /** The oldest first. */
  readonly #ended = new Map<string, KnownDataflow>();
  readonly #onChange: () => void;

  constructor(state: CoordinatorState, onChange: () => void) {
    for (const known of state.wanted) this.#running.set(known.status.id, known);
    for (const known of state.ended) this.#ended.set(known.status.id, known);
    this.#onChange = onChange;
  }

  get running(): readonly KnownDataflow[] {
    return [...this.#running.values()];
  }

  /** The newest first. */
  get ended(): readonly KnownDataflow[] {
    return [...this.#ended.values()].toReversed();
  }

  state(): CoordinatorState {
    return { wanted: this.running, ended: [...this.#ended.values()] };
  }

  get(id: string): KnownDataflow | undefined {
    return this.#running.get(id) ?? this.#ended.get(id);
  }

  isRunning(id: string): boolean {
    return this.#running.has(id);
  }

  add(known: KnownDataflow): void {
    this.#put(known);
    this.#onChange();
  }

  /**
   * Finds a dataflow by its id, by its name (one that runs before those that have ended, of which the
   * last one is meant), or by the start of its id.
   *
   * Errors: `NOT_FOUND`; `DATAFLOW_AMBIGUOUS` with the candidates.
   */
  find(text: string): KnownDataflow {
    const exact = this.get(text.toLowerCase());
    if (exact !== undefined) return exact;
    const all = [...this.#running.values(), ...this.ended];
    const runs = this.running.filter(({ status }) => status.name === text);
    if (runs.length > 1) throw ambiguous(text, runs);
    const named = runs[0] ?? all.find(({ status }) => status.name === text);
    if (named !== undefined) return named;
    const prefix = text.toLowerCase();
    const begun = prefix === "" ? [] : all.filter(({ status }) => status.id.startsWith(prefix));
    if (begun.length > 1) throw ambiguous(text, begun);
    const [found] = begun;
    if (found !== undefined) return found;
    const names = this.running.map(({ status }) => status.name).join(", ");
    const rest = names === "" ? "none runs" : `these run: ${names}`;
    throw new AppError("NOT_FOUND", `there is no dataflow "${text}"; ${rest}`, {
      hint: "see `dora list`",
    });
  }

  /**
   * Takes what a daemon says that it runs; `isFirst` at its connection: then it is believed in all. Of dataflows of
   * other machines it has nothing to say: who told of them could have their texts and variables at the next start.
   *
   * Shape: how many were passed over, as not its own or too many.
   */
  takeStatus(machine: string, statuses: readonly DataflowStatus[], isFirst: boolean): number {
    let hasChanged = false;
    let passedOver = 0;
    for (const status of statuses) {
      const known = this.get(status.id);
      const isOwn = status.machine === machine && (known?.status.machine ?? machine) === machine;
      const isOneTooMany =
        known === undefined && !isEnded(status.state) && this.#running.size >= RUNNING_MAX;
      if (!isOwn || isOneTooMany) {
        passedOver += 1;
        continue;
      }
      // One that has ended and that nobody knows was forgotten here before.
      if (known === undefined && isEnded(status.state) && !isFirst) continue;
      if (known !== undefined && this.#ended.has(status.id) && hasFinalStatus(known)) continue;
      const isNews = known === undefined || known.status.state !== status.state;
      this.#put({ text: "", ...known, status });
      hasChanged ||= isNews || isEnded(status.state);
    }
    const told = new Set(statuses.map(({ id }) => id));
    for (const known of this.running) {
      if (known.status.machine !== machine || told.has(known.status.id)) continue;
      this.#put({ ...known, status: lost(known.status) });
      hasChanged = true;
    }
    if (hasChanged) this.#onChange();
    return passedOver;
  }

  /**
   * Takes an event's part that outlives it. Events of builds alone are of no dataflow that is known.
   *
   * Shape: false for one about a dataflow of another machine, which is passed over.
   */
  takeEvent(machine: string, event: RuntimeEvent): boolean {
    const known = this.get(event.dataflow);
    if (known !== undefined && known.status.machine !== machine) return false;
    if (known !== undefined && known.status.endedAtUnixMs === null) this.#apply(known, event);
    return true;
  }

  #apply(known: KnownDataflow, event: RuntimeEvent): void {
    if (event.type === "node") {
      // The daemon's next status says the same, up to a second later.
      this.#put({ ...known, status: withNode(known.status, event) });
      return;
    }
    if (event.type !== "dataflow") return;
    const { state, failure, atUnixMs } = event;
    this.#put({
      ...known,
      status: { ...known.status, state, endedAtUnixMs: isEnded(state) ? atUnixMs : null },
      ...(failure === undefined ? {} : { failure }),
    });
    this.#onChange();
  }

  #put(known: KnownDataflow): void {
    const { id, state } = known.status;
    if (!isEnded(state)) {
      this.#running.set(id, known);
      return;
    }
    this.#running.delete(id);
    this.#ended.set(id, known);
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= ENDED_MAX) break;
      this.#ended.delete(oldest);
    }
  }
}

function withNode(
  status: DataflowStatus,
  { node, state, pid, end }: Extract<RuntimeEvent, { readonly type: "node" }>,
): DataflowStatus {
  const nodes = status.nodes.map((one) =>
    one.id === node
      ? Object.assign({}, one, { state, pid: pid ?? null }, end === undefined ? {} : { end })
      : one,
  );
  return { ...status, nodes };
}

/** Whether the nodes of an ended dataflow are told as they ended, not as they were a second before. */
function hasFinalStatus({ status }: KnownDataflow): boolean {
  return status.nodes.every(({ state }) => isEnded(state));
}

/** Its daemon was ended without stopping it, and took it along. */
function lost(status: DataflowStatus): DataflowStatus {
  return {
    ...status,
    state: "failed",
    endedAtUnixMs: Date.now(),
    nodes: status.nodes.map((node) =>
      isEnded(node.state) ? node : { ...node, state: "failed", pid: null },
    ),
  };
}

function ambiguous(text: string, candidates: readonly KnownDataflow[]): AppError {
  const lines = candidates.map(({ status }) => `  ${status.id}  ${status.name} (${status.state})`);
  const message = `"${text}" may be any of ${candidates.length} dataflows:\n${lines.join("\n")}`;
  return new AppError("DATAFLOW_AMBIGUOUS", message);
}
