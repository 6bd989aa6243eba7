import { describe, expect, test } from "vitest";
import type { SendResult } from "../../../src/runtime/telemetry/export-queue.ts";
import {
  EXPORT_BATCH_RECORDS_MAX,
  ExportQueue,
} from "../../../src/runtime/telemetry/export-queue.ts";

const DELIVERED: SendResult = { status: "delivered" };
const AWAY: SendResult = { status: "retryable", message: "connection refused" };
const WRONG: SendResult = { status: "rejected", message: "not valid" };

/** A queue whose receiver answers as it is told, the last answer for ever. */
function queueOf(
  answers: readonly SendResult[],
  limits: { recordsMax?: number; bytesMax?: number } = {},
) {
  const attempts: (readonly number[])[] = [];
  const states: (string | undefined)[] = [];
  const queue = new ExportQueue<number>({
    ...limits,
    send: (batch) => {
      const answer = answers[Math.min(attempts.length, answers.length - 1)] ?? DELIVERED;
      attempts.push(batch);
      return Promise.resolve(answer);
    },
    onState: (message) => states.push(message),
  });
  return { queue, attempts, states };
}

test("items go out in their order, in batches", async () => {
  const { queue, attempts } = queueOf([DELIVERED]);
  const count = EXPORT_BATCH_RECORDS_MAX * 2 + 5;
  for (let item = 0; item < count; item++) queue.push(item, 1);
  await queue.close(10_000);
  expect(attempts.flat()).toEqual(Array.from({ length: count }, (_, item) => item));
  expect(attempts.map((batch) => batch.length)).toEqual([2000, 2000, 5]);
  expect(queue.delivered).toBe(count);
});

test("a large item makes a batch of its own", async () => {
  const { queue, attempts } = queueOf([DELIVERED]);
  for (const bytes of [1, 5_000_000, 1]) queue.push(bytes, bytes);
  await queue.close(10_000);
  expect(attempts).toEqual([[1], [5_000_000], [1]]);
});

test("a batch is sent again unchanged until it is taken, and what came meanwhile follows it", async () => {
  const { queue, attempts, states } = queueOf([AWAY, AWAY, DELIVERED]);
  queue.push(1, 1);
  queue.push(2, 1);
  await expect.poll(() => attempts.length).toBe(1);
  queue.push(3, 1);
  await expect.poll(() => queue.delivered).toBe(3);
  expect(attempts).toEqual([[1, 2], [1, 2], [1, 2], [3]]);
  expect(attempts[1]).toBe(attempts[0]);
  expect(states).toEqual(["connection refused", undefined]);
  await queue.close(10_000);
});

test("a batch that is wrong is dropped and counted, and the next goes on", async () => {
  const { queue, attempts } = queueOf([WRONG, DELIVERED]);
  queue.push(1, 1);
  await expect.poll(() => queue.drops.rejected).toBe(1);
  queue.push(2, 1);
  await queue.close(10_000);
  expect(attempts).toEqual([[1], [2]]);
  expect({ ...queue.drops, delivered: queue.delivered }).toEqual({
    full: 0,
    rejected: 1,
    closed: 0,
    delivered: 1,
  });
});

describe("limits", () => {
  test("beyond the records that are held, new ones are dropped and counted", async () => {
    const { queue } = queueOf([AWAY], { recordsMax: 10 });
    for (let item = 0; item < 25; item++) queue.push(item, 1);
    expect(queue.waiting.records).toBe(10);
    expect(queue.drops.full).toBe(15);
    await queue.close(1);
    expect(queue.drops).toEqual({ full: 15, rejected: 0, closed: 10 });
  });

  test("beyond the bytes, too, those of the batch under way included", async () => {
    const { queue, attempts } = queueOf([AWAY], { bytesMax: 100 });
    queue.push(1, 60);
    await expect.poll(() => attempts.length).toBeGreaterThan(0);
    queue.push(2, 60);
    queue.push(3, 40);
    expect(queue.waiting).toEqual({ records: 2, bytes: 100 });
    expect(queue.drops.full).toBe(1);
    await queue.close(1);
  });

  test("after the end nothing is taken, and all is accounted for", async () => {
    const { queue } = queueOf([DELIVERED]);
    queue.push(1, 1);
    await queue.close(10_000);
    queue.push(2, 1);
    expect(queue.drops.closed).toBe(1);
    expect(queue.waiting).toEqual({ records: 0, bytes: 0 });
  });
});
