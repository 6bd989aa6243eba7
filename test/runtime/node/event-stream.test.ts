import { expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { EventStream } from "../../../src/runtime/node/event-stream.ts";
import { HopRecorder } from "../../../src/runtime/node/hop-recorder.ts";
import type { InputQueue } from "../../../src/runtime/node/input-queue.ts";
import type { Hop } from "../../../src/runtime/protocol/hops.ts";
import { readHops } from "../../../src/runtime/protocol/hops.ts";
import { ManualScheduler } from "./manual-scheduler.ts";

test("a message is done, for a broker that waits for it, when the next event is asked for", () => {
  const { events, receive } = open();
  const done: string[] = [];
  for (const name of ["first", "second"]) receive(() => done.push(name));
  events.tryNext();
  expect(done).toEqual([]);
  events.tryNext();
  expect(done).toEqual(["first"]);
  events.end();
  expect(done).toEqual(["first", "second"]);
});

test("a message that makes no sense is done at once, or it would come again for ever", () => {
  const { events, receive } = open();
  let isDone = false;
  receive(() => (isDone = true), Buffer.from("junk"));
  expect(events.tryNext()?.type).toBe("error");
  expect(isDone).toBe(true);
});

test("hops wait while the daemon takes none, and go once it does", () => {
  const { events, receive, scheduler, daemon } = open();
  receive();
  daemon.isThere = false;
  events.tryNext();
  events.end();
  scheduler.advance(1000);
  expect(daemon.hops).toEqual([]);
  daemon.isThere = true;
  scheduler.advance(200);
  expect(daemon.hops).toHaveLength(1);
  scheduler.advance(1000);
  expect(daemon.hops).toHaveLength(1);
});

test("hops go 200 ms after the first, or when there are 2,048", () => {
  const { events, receive, scheduler, daemon } = open();
  receive();
  events.tryNext();
  events.tryNext();
  scheduler.advance(199);
  expect(daemon.hops).toHaveLength(0);
  scheduler.advance(1);
  expect(daemon.hops).toHaveLength(1);
  for (let count = 0; count < 2048; count++) {
    receive();
    events.tryNext();
  }
  events.tryNext();
  expect(daemon.hops).toHaveLength(2049);
});

interface Opened {
  readonly events: EventStream;
  readonly queue: InputQueue;
  readonly scheduler: ManualScheduler;
  readonly daemon: { isThere: boolean; readonly hops: Hop[] };
  readonly receive: (done?: () => void, header?: Uint8Array) => void;
}

function open(): Opened {
  const scheduler = new ManualScheduler();
  const daemon = { isThere: true, hops: new Array<Hop>() };
  const recorder = new HopRecorder(scheduler, (body) => {
    if (daemon.isThere) daemon.hops.push(...readHops(body()));
    return daemon.isThere;
  });
  const events = new EventStream(systemClock, recorder);
  const source = { kind: "timer", intervalNs: 1 } as const;
  const queue = events.addInput({ id: "in", source, queueSize: 9, queuePolicy: "drop_oldest" });
  events.resume();
  const receive = (done = (): void => {}, header: Uint8Array = new Uint8Array(0)): void =>
    events.receive(queue, {
      kind: "message",
      header,
      payload: Buffer.from("x"),
      topic: "t",
      receivedUnixNs: 1n,
      done,
    });
  return { events, queue, scheduler, daemon, receive };
}
