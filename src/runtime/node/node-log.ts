import type { Clock } from "../../core/clock.ts";
import type { NodeLogRecord, NodeMessage } from "../protocol/node-messages.ts";
import type { InputEvent } from "./events.ts";
import type { TraceContext } from "./trace.ts";

/** Goes beside a record's message: anything that JSON can say, and errors. */
export type LogAttributes = Readonly<Record<string, unknown>>;

/** Records of one message to the daemon. */
const BATCH_RECORDS_MAX = 256;
/** A longer record loses its attributes, and then its message's end. */
const RECORD_CHARACTERS_MAX = 256 * 1024;

/**
 * Writes records to the dataflow's log, with the trace of the message that is being handled. Records of one
 * turn of the event loop go together. It never throws.
 */
export class NodeLog {
  readonly #clock: Clock;
  readonly #current: () => InputEvent | undefined;
  readonly #send: (message: NodeMessage) => void;
  #records: NodeLogRecord[] = [];

  constructor(
    clock: Clock,
    current: () => InputEvent | undefined,
    send: (message: NodeMessage) => void,
  ) {
    this.#clock = clock;
    this.#current = current;
    this.#send = send;
  }

  trace(message: string, attributes?: LogAttributes): void {
    this.write("trace", message, attributes);
  }

  debug(message: string, attributes?: LogAttributes): void {
    this.write("debug", message, attributes);
  }

  info(message: string, attributes?: LogAttributes): void {
    this.write("info", message, attributes);
  }

  warn(message: string, attributes?: LogAttributes): void {
    this.write("warn", message, attributes);
  }

  error(message: string, attributes?: LogAttributes): void {
    this.write("error", message, attributes);
  }

  fatal(message: string, attributes?: LogAttributes): void {
    this.write("fatal", message, attributes);
  }

  /** Hands on records that were made elsewhere, such as in another thread of the process. */
  pass(records: readonly NodeLogRecord[]): void {
    this.#send({ type: "log", records });
  }

  /** Hands over what waits for the end of the turn; for the end of the process. */
  flush(): void {
    if (this.#records.length === 0) return;
    const records = this.#records;
    this.#records = [];
    this.#send({ type: "log", records });
  }

  /** `at`: the span that the record belongs to; by default that of the message that is being handled. */
  write(
    level: NodeLogRecord["level"],
    message: string,
    attributes?: LogAttributes,
    at?: Pick<TraceContext, "traceId" | "spanId">,
  ): void {
    const event = at ?? this.#current();
    this.#records.push({
      time: this.#clock.nowUnixNs().toString(),
      level,
      ...bounded(message, attributes),
      ...(event === undefined ? {} : { traceId: event.traceId, spanId: event.spanId }),
    });
    if (this.#records.length === 1) setImmediate(() => this.flush());
    if (this.#records.length === BATCH_RECORDS_MAX) this.flush();
  }
}

function bounded(
  message: string,
  attributes: LogAttributes | undefined,
): Pick<NodeLogRecord, "message" | "attributes"> {
  const cut = message.slice(0, RECORD_CHARACTERS_MAX);
  if (attributes === undefined) return { message: cut };
  const said = toPlain(attributes);
  const characters = cut.length + JSON.stringify(said).length;
  return characters > RECORD_CHARACTERS_MAX ? { message: cut } : { message: cut, attributes: said };
}

/** What JSON can say of them. */
function toPlain(attributes: LogAttributes): LogAttributes {
  return Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, plain(value)]));
}

/** A cycle, or a getter that throws, loses the value but not the record. */
function plain(value: unknown): unknown {
  try {
    const text: string | undefined = JSON.stringify(value, replaceUnsayable);
    const read: unknown = text === undefined ? undefined : JSON.parse(text);
    return read;
  } catch {
    return "[not JSON]";
  }
}

function replaceUnsayable(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (!(value instanceof Error)) return value;
  return { type: value.name, message: value.message, stacktrace: value.stack };
}
