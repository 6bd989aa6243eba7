import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../core/errors.ts";
import { rowsOf, toShownEntry } from "./answer-rows.ts";
import type { CoordinatorClient } from "./coordinator-client.ts";
import type { CoordinatorEvents } from "./coordinator-events.ts";
import { EXIT_FAILED } from "./failure.ts";
import { followEnd } from "./follow-dataflow.ts";
import type { Interruption } from "./interruption.ts";
import { failureLines, stopQuietly } from "./launch-dataflow.ts";
import type { LoadedDataflow } from "./load-dataflow.ts";
import type { LogSource } from "./log-source.ts";
import { readQuery } from "./logs-flags.ts";
import { openLogSource } from "./open-log-source.ts";
import type { Output } from "./output.ts";
import { renderEntry } from "./render-entry.ts";
import { telemetryUrl } from "./telemetry-url.ts";
import type { StartProgress } from "./start-progress.ts";

/** Records from before the first live one: those since its start. */
const BACKLOG = 1000;
/** After the end, until its last record has come through the pipeline. */
const LAST_RECORD_MS = 3_000;
/** What the daemon writes as the last record of a dataflow. */
const LAST_RECORD = /^The dataflow is (?:completed|stopped|failed)\.$/;

/** What a command in the foreground works with. */
export interface Attendance {
  readonly client: CoordinatorClient;
  readonly events: CoordinatorEvents;
  /** Ctrl-C: asks for a stop. */
  readonly interruption: Interruption;
  /** Records and the end. */
  readonly output: Output;
  readonly notes: Output;
  /** Of `--token-file`: the log service's is the coordinator's. */
  readonly tokenFile: string | undefined;
}

export interface Attended {
  readonly id: string;
  readonly name: string;
  readonly loaded: LoadedDataflow;
  readonly progress: StartProgress;
}

/**
 * Shows the records of a dataflow until it has ended; the first Ctrl-C, or nobody who reads any more, stops it.
 * One that failed is summarised, and sets exit code 1.
 *
 * Errors: `COORDINATOR_UNREACHABLE` where the coordinator goes away: the dataflow goes on.
 */
export async function attendDataflow(attendance: Attendance, attended: Attended): Promise<void> {
  const { events, interruption, output, notes } = attendance;
  const { id, name, loaded } = attended;
  const feed = new RecordFeed(output, notes);
  const following = feed.follow(id, attendance.tokenFile);
  let stopping: Promise<void> | undefined;
  const stop = (): void => {
    stopping ??= askToStop(attendance, attended);
  };
  const leaving = AbortSignal.any([interruption.signal, output.closed]);
  leaving.addEventListener("abort", stop, { once: true });
  if (leaving.aborted) stop();
  try {
    const progress = await followEnd(
      events,
      { dataflow: id, progress: attended.progress },
      new AbortController().signal,
    );
    await stopping;
    await feed.finish();
    await following;
    if (progress.state !== "failed") return;
    process.exitCode = EXIT_FAILED;
    const lines = failureLines(progress, { output, loaded, command: "run", dataflow: name });
    await output.writeLines(lines);
  } finally {
    leaving.removeEventListener("abort", stop);
    feed.close();
  }
}

async function askToStop({ client, notes }: Attendance, { id, name }: Attended): Promise<void> {
  const { icons } = notes.look;
  await notes.writeLine(`${icons.gaveUp} Stopping ${name}... Ctrl-C again leaves at once.`);
  await stopQuietly(client, id);
}

/** The records of one dataflow, as they come. */
class RecordFeed {
  readonly #output: Output;
  readonly #notes: Output;
  readonly #abort = new AbortController();
  readonly #last = Promise.withResolvers<void>();

  constructor(output: Output, notes: Output) {
    this.#output = output;
    this.#notes = notes;
  }

  /** Never rejects: without a log service the dataflow runs all the same. */
  async follow(dataflow: string, tokenFile: string | undefined): Promise<void> {
    let source: LogSource | undefined;
    try {
      source = await openLogSource(
        {
          url: telemetryUrl(process.env),
          ...(tokenFile === undefined ? {} : { tokenFile }),
          environment: process.env,
          onFallback: () => {},
        },
        this.#abort.signal,
      );
      const request = { query: readQuery(undefined, { dataflow }), backlog: BACKLOG };
      for await (const event of source.follow(request, this.#abort.signal)) {
        if (event.kind === "missed") {
          const text = `warning: ${event.count} records were left out, because this reader was too slow`;
          await this.#notes.writeLine({ text, style: "warning" });
          continue;
        }
        const entries = rowsOf(event.lines).map(toShownEntry);
        await this.#output.writeLines(entries.flatMap(renderEntry));
        if (entries.some(({ message }) => LAST_RECORD.test(message))) this.#last.resolve();
      }
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      const why = error instanceof AppError ? error.message : String(error);
      const text = `warning: records are not shown: ${why}`;
      await this.#notes.writeLine({ text, style: "warning" });
    } finally {
      this.#last.resolve();
      await source?.close();
    }
  }

  /** Waits for the last record, not for ever. */
  async finish(): Promise<void> {
    const signal = this.#abort.signal;
    await Promise.race([
      this.#last.promise,
      sleep(LAST_RECORD_MS, undefined, { signal, ref: false }).catch(() => undefined),
    ]);
    this.close();
  }

  close(): void {
    this.#abort.abort();
  }
}
