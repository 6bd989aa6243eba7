import { expect, test } from "vitest";
import { InputQueue, type Queued } from "../../../src/runtime/node/input-queue.ts";

/** A link whose sender has so many messages, and gives them while it is not paused. */
class Sender {
  readonly recycled: Uint8Array[] = [];
  isPaused = false;
  sent = 0;
  readonly #queue: InputQueue;

  constructor(queue: InputQueue) {
    this.#queue = queue;
    queue.source = this;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  recycle(payload: Uint8Array): void {
    this.recycled.push(payload);
  }

  /** Gives as many as it may; returns how many it gave. */
  send(count: number): number {
    const before = this.sent;
    while (this.sent - before < count && !this.isPaused) this.#queue.push(message(this.sent++));
    return this.sent - before;
  }
}

test("a full queue with backpressure pauses its link, and resumes it at the half", () => {
  const queue = openQueue("backpressure", 4);
  const sender = new Sender(queue);
  expect(sender.send(10)).toBe(4);
  queue.take();
  expect(sender.isPaused).toBe(true);
  queue.take();
  expect(sender.isPaused).toBe(false);
  expect(sender.send(10)).toBe(2);
  expect(numbersOf(queue)).toEqual([2, 3, 4, 5]);
  expect(queue.dropped).toBe(0);
});

test("a burst drops nothing where the node takes it within the same turn", async () => {
  const queue = openQueue("drop_oldest", 4);
  const sender = new Sender(queue);
  expect(sender.send(10)).toBe(4);
  const taken = numbersOf(queue);
  await nextTurn();
  expect(sender.isPaused).toBe(false);
  sender.send(10);
  expect([...taken, ...numbersOf(queue)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(queue.dropped).toBe(0);
});

test("a queue that stays full loses its oldest messages, counted, and their memory goes back", async () => {
  const queue = openQueue("drop_oldest", 3);
  const sender = new Sender(queue);
  sender.send(10);
  await nextTurn();
  expect(sender.send(7)).toBe(7);
  expect(queue).toMatchObject({ received: 10, dropped: 7, queued: 3 });
  expect(sender.recycled.map(([number]) => number)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(numbersOf(queue)).toEqual([7, 8, 9]);
});

test("a queue that was overrun treats the next burst as one, once something was taken", async () => {
  const queue = openQueue("drop_oldest", 2);
  const sender = new Sender(queue);
  sender.send(5);
  await nextTurn();
  sender.send(3);
  expect(queue.dropped).toBe(3);
  queue.take();
  expect(sender.send(5)).toBe(1);
  expect(queue.dropped).toBe(3);
});

test("a message that is dropped is done, for a broker that waits for it", async () => {
  const queue = openQueue("drop_oldest", 1);
  const done: number[] = [];
  for (const number of [0, 1, 2]) queue.push({ ...message(number), done: () => done.push(number) });
  expect(done).toEqual([0, 1]);
});

test("a timer's ticks over the queue's size are dropped, whatever the policy", () => {
  const queue = openQueue("backpressure", 2);
  for (let tick = 0; tick < 5; tick++) queue.push({ kind: "tick", unixNs: BigInt(tick) });
  expect(queue).toMatchObject({ received: 5, dropped: 3, queued: 2 });
});

test("notices keep their place and are never dropped", async () => {
  const queue = openQueue("drop_oldest", 1);
  queue.push(message(0));
  queue.push({ kind: "notice", event: { type: "input-closed", id: "in", reason: "ended" } });
  queue.push(message(1));
  const kinds = [queue.take(), queue.take(), queue.take()].map((item) => item?.kind);
  expect(kinds).toEqual(["notice", "message", undefined]);
});

function openQueue(queuePolicy: "drop_oldest" | "backpressure", queueSize: number): InputQueue {
  const source = { kind: "timer", intervalNs: 1 } as const;
  return new InputQueue({ id: "in", source, queueSize, queuePolicy }, 0);
}

function message(number: number): Extract<Queued, { kind: "message" }> {
  const payload = Uint8Array.of(number);
  return { kind: "message", header: payload, payload, topic: "", receivedUnixNs: 0n };
}

function numbersOf(queue: InputQueue): readonly (number | undefined)[] {
  const numbers: (number | undefined)[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) {
    if (item.kind === "message") numbers.push(item.payload[0]);
  }
  return numbers;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
