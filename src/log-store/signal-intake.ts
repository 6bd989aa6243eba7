import type { BlockRows, TableMark } from "./open-table.ts";

/** What the open columns of a signal show to the store; each has its own kind of row. */
export interface OpenTableView {
  mark(): TableMark;
  rollback(mark: TableMark): void;
  rollbackToCommitted(): void;
  commit(count: number): readonly BlockRows[];
  committedRows(): readonly BlockRows[];
  seal(rows: readonly BlockRows[]): void;
  readonly unsealedRows: number;
  readonly unsealedBytes: number;
  readonly oldestAgeMs: number;
  /** The number of the oldest row that is not sealed; undefined where there is none. */
  readonly oldestSeq: number | undefined;
}

/** How a signal's requests get into its open columns. */
export interface SignalIntake {
  readonly table: OpenTableView;
  /** Decodes a request into the table; `accept` says which ordinals to keep. */
  readonly decode: (body: Uint8Array, request: DecodeRequest) => DecodeOutcome;
}

interface DecodeRequest {
  readonly firstSeq: number;
  readonly receivedMs: number;
  readonly accept?: (ordinal: number) => boolean;
}

export interface DecodeOutcome {
  readonly received: number;
  readonly added: number;
  readonly rejected: readonly number[];
  readonly reason: string;
}

export function signalIntake(
  table: OpenTableView & {
    begin(request: DecodeRequest): void;
    outcome(): Omit<DecodeOutcome, "received">;
  },
  decode: (body: Uint8Array) => number,
): SignalIntake {
  return {
    table,
    decode: (body, request) => {
      table.begin(request);
      const received = decode(body);
      return { received, ...table.outcome() };
    },
  };
}
