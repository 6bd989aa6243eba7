/** What every contestant of the comparison can do, and the figures that it gives. */
import type { QueryClass } from "../query-classes.ts";

export interface Contestant {
  /** As it is named on the command line and in the tables. */
  readonly name: string;
  /** The process that is measured. */
  readonly pid: number;
  /** Its version, and how it is asked: two short phrases for the report. */
  readonly version: string;
  readonly route: string;
  /**
   * Takes all rows and waits until nothing is left to seal or to merge. The last figure is that of
   * all rows; ones before it are of other ways to load.
   */
  load(): Promise<readonly LoadFigure[]>;
  /**
   * The ways to ask a question, the one that its users would write first. The first that gives our
   * answer is measured. None: it cannot be asked.
   */
  formsOf(question: QueryClass): readonly string[];
  /** Runs the question to the last byte of its answer. */
  ask(question: QueryClass, form: string): Promise<Usage>;
  /** The answer in the form in which answers are compared (`QueryClass.compare`). */
  answer(question: QueryClass, form: string): Promise<readonly string[]>;
  /** Bytes that the rows take, once loaded. */
  diskBytes(): Promise<number>;
  /** Ends the process. Safe to call twice. */
  close(): Promise<void>;
}

export interface Usage {
  readonly wallMs: number;
  /** All threads of the contestant; the client's own are not in it where it is another process. */
  readonly cpuMs: number;
}

export interface LoadFigure {
  /** What was loaded, and what was promised about it. */
  readonly how: string;
  readonly rows: number;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

/** What a contestant is given to start with. */
export interface Setting {
  /** Folder of its own, empty. */
  readonly directory: string;
  readonly recordCount: number;
  /** The rows as requests (`readRequests`) and as lines of JSON. */
  readonly otlpFile: string;
  readonly tableFile: string;
}

/** A contestant that is not installed. The message says what to do. */
export class NotInstalledError extends Error {
  constructor(hint: string) {
    super(hint);
    this.name = "NotInstalledError";
  }
}
