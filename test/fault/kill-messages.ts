/** What the rounds of kills and the process that they kill say to each other, over Node's IPC. */
import type { PerSignal } from "../../src/log-store/counters.ts";
import type { AppendResult, SignalCounters } from "../../src/log-store/ingest.ts";

/** The two signals that the rounds write: their seals and positions are apart. */
export type KillSignal = "logs" | "traces";

/**
 * What a store is doing, by what it does to its folder: `journal` is a frame on its way to disk.
 * Several at once stand in one byte, the first as its lowest bit.
 */
export const KILL_PHASES = ["start", "seal", "merge", "retention", "journal"] as const;
export type KillPhase = (typeof KILL_PHASES)[number];

export function phaseBit(phase: KillPhase): number {
  return 1 << KILL_PHASES.indexOf(phase);
}

/** The process ends itself at a call of the file system: the `nth` of a phase. */
export interface DeathPoint {
  readonly phase: KillPhase;
  readonly nth: number;
  /** Before the call, while it is under way in another thread, or when it is through. */
  readonly when: "before" | "during" | "after";
}

export interface OpenCommand {
  readonly kind: "open";
  readonly directory: string;
  /** Its first byte is what the store is doing now. */
  readonly phaseFile: string;
  readonly retentionMs: number;
  /** Seals and merges in workers, as in the service, or in the thread that takes requests. */
  readonly usesWorkers: boolean;
  readonly death: DeathPoint | undefined;
}

export interface AppendCommand {
  readonly kind: "append";
  readonly signal: KillSignal;
  readonly body: Uint8Array;
}

/** Asks for the numbers of all records from a time on. */
export interface ReadCommand {
  readonly kind: "read";
  readonly fromUnixMs: number;
}

/** Has everything sealed, merged and expired that is due. */
export interface TidyCommand {
  readonly kind: "tidy";
}

export type KillCommand = OpenCommand | AppendCommand | ReadCommand | TidyCommand;
export type Numbered<Message> = Message & { readonly id: number };

/** All modules are there: the next command is about the store alone. */
export interface Loaded {
  readonly kind: "loaded";
}

export interface Opened {
  readonly kind: "opened";
  readonly counters: PerSignal<SignalCounters>;
  /** What the store complained of while it started. */
  readonly complaints: readonly string[];
}

export interface Appended {
  readonly kind: "appended";
  readonly status: AppendResult["status"];
}

export interface Found {
  readonly kind: "found";
  /** In no order; a record that is there twice is in it twice. */
  readonly numbers: Float64Array;
  /** Records of which the number could not be read. */
  readonly strangers: readonly string[];
  readonly counters: PerSignal<SignalCounters>;
  readonly segments: number;
}

export interface Tidied {
  readonly kind: "tidied";
}

export interface Failed {
  readonly kind: "failed";
  readonly message: string;
}

export type KillAnswer = Loaded | Opened | Appended | Found | Tidied | Failed;
