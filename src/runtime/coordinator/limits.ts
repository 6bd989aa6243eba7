/** Where events are pushed over WebSocket. */
export const EVENTS_PATH = "/api/v1/events";
/** Where a coordinator listens; dora-rs has 6012, 6013 and 53290. */
export const COORDINATOR_ENDPOINT = "127.0.0.1:6015";

/** What clients and daemons may hold of a coordinator (SEC-006, SEC-015). */
export interface CoordinatorLimits {
  readonly daemonsMax: number;
  /** Streams of events that one principal follows at once, and all of them together. */
  readonly streamsPerPrincipalMax: number;
  readonly streamsMax: number;
  /** Bytes that wait for a reader of events: above them it gets no status, */
  readonly streamStatusBytesMax: number;
  /** and above these it is let go, since it would miss events. */
  readonly streamBytesMax: number;
  /** How often status is pushed. */
  readonly statusIntervalMs: number;
  /** How long a daemon may take to answer a request, */
  readonly daemonAnswerMs: number;
  /** to say hello once it is connected, */
  readonly daemonHelloMs: number;
  /** and how often it is asked whether it is there: one that misses one is let go. */
  readonly pingIntervalMs: number;
  readonly headersMs: number;
  readonly requestMs: number;
  readonly idleMs: number;
  readonly connectionsMax: number;
}

const MIB = 1024 * 1024;

export const COORDINATOR_LIMITS: CoordinatorLimits = {
  daemonsMax: 64,
  streamsPerPrincipalMax: 32,
  streamsMax: 256,
  streamStatusBytesMax: MIB,
  streamBytesMax: 16 * MIB,
  statusIntervalMs: 1000,
  daemonAnswerMs: 30_000,
  daemonHelloMs: 10_000,
  pingIntervalMs: 15_000,
  headersMs: 15_000,
  requestMs: 60_000,
  idleMs: 72_000,
  connectionsMax: 1_024,
};

/** A request's body: room for a dataflow file of `FILE_BYTES_MAX` in which every byte is escaped. */
export const BODY_BYTES_MAX = 4 * MIB;

/** One message of a daemon: the status of all that it runs. */
export const DAEMON_MESSAGE_BYTES_MAX = 16 * MIB;

/** One message of a reader of events, which has nothing to say. */
export const STREAM_MESSAGE_BYTES_MAX = 1024;

/** Dataflows that have ended and are still told of. */
export const ENDED_MAX = 100;

/** Dataflows that a coordinator knows to run. */
export const RUNNING_MAX = 1024;
