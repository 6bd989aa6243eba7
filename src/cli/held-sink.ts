import type { EmittedRecord, LogSink } from "../telemetry/logger.ts";

const RECORDS_MAX = 1_000;

/** Holds the first records of a process until what takes them is loaded. */
export class HeldSink implements LogSink {
  #held: EmittedRecord[] = [];
  #sink: LogSink | undefined;

  emit(record: EmittedRecord): void {
    if (this.#sink !== undefined) this.#sink.emit(record);
    else if (this.#held.length < RECORDS_MAX) this.#held.push(record);
  }

  /** From now on records go there, those that were held first. */
  release(sink: LogSink): void {
    this.#sink = sink;
    for (const record of this.#held) sink.emit(record);
    this.#held = [];
  }
}
