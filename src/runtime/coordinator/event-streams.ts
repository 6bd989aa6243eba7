import type { WebSocket } from "ws";
import type { Logger } from "../../telemetry/logger.ts";
import type { RuntimeEvent } from "../protocol/status.ts";
import type { StreamFrame } from "./answer-schema.ts";
import type { Coordinator } from "./coordinator.ts";
import { snakeKeys } from "./letter-case.ts";
import type { CoordinatorLimits } from "./limits.ts";

/** Close codes of RFC 6455 7.4.1. */
const CLOSE_GOING_AWAY = 1001;
const CLOSE_TRY_AGAIN_LATER = 1013;

/**
 * Pushes events and, each second, the status of what runs to those who follow them over WebSocket. A slow
 * reader gets fewer statuses; one that would miss an event is let go, so that it knows.
 */
export class EventStreams {
  readonly #coordinator: Coordinator;
  readonly #limits: CoordinatorLimits;
  readonly #log: Logger;
  readonly #version: string;
  readonly #readers = new Set<WebSocket>();
  readonly #leave: () => void;
  readonly #timer: NodeJS.Timeout;

  constructor(
    coordinator: Coordinator,
    options: {
      readonly limits: CoordinatorLimits;
      readonly log: Logger;
      readonly version: string;
    },
  ) {
    this.#coordinator = coordinator;
    this.#limits = options.limits;
    this.#log = options.log;
    this.#version = options.version;
    this.#leave = coordinator.subscribe({ onEvent: (event) => this.#onEvent(event) });
    this.#timer = setInterval(() => this.#pushStatus(), this.#limits.statusIntervalMs);
  }

  add(reader: WebSocket): void {
    this.#readers.add(reader);
    reader.on("error", (error) => this.#log.debug("a reader of events failed", { error }));
    reader.once("close", () => this.#readers.delete(reader));
    reader.send(toText({ type: "welcome", version: this.#version }));
    reader.send(this.#status());
  }

  /** Tells all readers that the coordinator goes away. */
  stop(): void {
    clearInterval(this.#timer);
    this.#leave();
    for (const reader of this.#readers) reader.close(CLOSE_GOING_AWAY, "the coordinator stops");
  }

  terminate(): void {
    for (const reader of this.#readers) reader.terminate();
  }

  #onEvent(event: RuntimeEvent): void {
    if (this.#readers.size === 0) return;
    const text = toText({ type: "event", event });
    for (const reader of this.#readers) {
      if (reader.bufferedAmount > this.#limits.streamBytesMax) {
        reader.close(CLOSE_TRY_AGAIN_LATER, "events came faster than they were read");
        this.#readers.delete(reader);
      } else {
        reader.send(text);
      }
    }
  }

  #pushStatus(): void {
    if (this.#readers.size === 0) return;
    const text = this.#status();
    for (const reader of this.#readers) {
      if (reader.bufferedAmount <= this.#limits.streamStatusBytesMax) reader.send(text);
    }
  }

  #status(): string {
    return toText({ type: "status", dataflows: [...this.#coordinator.running()] });
  }
}

function toText(frame: StreamFrame): string {
  return JSON.stringify(snakeKeys(frame));
}
