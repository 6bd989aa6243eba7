import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { IntakeRoom, ROOM_WAIT_MS } from "../../src/log-store/intake-room.ts";
import type { AppendResult } from "../../src/log-store/ingest.ts";
import { InlineSealer } from "../../src/log-store/sealer.ts";
import { appendLogs, lawHolds, openStore, temporaryFolder } from "./store-user.ts";

const TEXT = "x".repeat(50_000);
const LIMITS = { unsealedBytesMax: 1_000_000, maintenance: { sealBytes: 200_000 } };

/** Seals only once it is let go. */
class HeldSealer extends InlineSealer {
  readonly #gate = Promise.withResolvers<void>();
  readonly letGo = this.#gate.resolve;

  override async seal(
    request: Parameters<InlineSealer["seal"]>[0],
  ): ReturnType<InlineSealer["seal"]> {
    await this.#gate.promise;
    return super.seal(request);
  }
}

test("past the limit requests wait for a seal, and none is refused or lost", async () => {
  const sealer = new HeldSealer();
  const store = await openStore(temporaryFolder(), { sealer, ...LIMITS });
  const answered: AppendResult[] = [];
  const requests = Array.from({ length: 60 }, async (_, index) => {
    answered.push(await appendLogs(store, [{ body: `${index} ${TEXT}` }]));
  });
  // A megabyte is taken; the rest waits behind the seal that is held.
  await expect.poll(() => answered.length).toBe(20);
  sealer.letGo();
  await Promise.all(requests);
  expect(answered.every(({ status }) => status === "stored")).toBe(true);
  expect(store.counters().logs).toMatchObject({ stored: 60, dropped: 0 });
  expect(lawHolds(store)).toBe(true);
});

test("a store that closes tells those that wait", async () => {
  const sealer = new HeldSealer();
  const store = await openStore(temporaryFolder(), { sealer, ...LIMITS });
  const requests = Array.from({ length: 60 }, (_, index) =>
    appendLogs(store, [{ body: `${index} ${TEXT}` }]),
  );
  await requests[0];
  const closed = store.close();
  sealer.letGo();
  const statuses = (await Promise.all(requests)).map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set(["stored", "unavailable"]));
  await closed;
});

describe("the queue", () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => vi.useRealTimers());

  test("requests are let in one by one, in the order in which they came", async () => {
    let isFull = true;
    const room = new IntakeRoom(() => isFull);
    const letIn: number[] = [];
    const waiting = [1, 2, 3].map(async (each) => {
      expect(await room.wait()).toBe(true);
      letIn.push(each);
      isFull = each === 2;
      room.letNextIn();
    });
    room.letNextIn();
    expect(room.isFree).toBe(false);
    isFull = false;
    room.letNextIn();
    await Promise.all(waiting.slice(0, 2));
    expect(letIn).toEqual([1, 2]);
    isFull = false;
    expect(room.isFree).toBe(false);
    room.letNextIn();
    await Promise.all(waiting);
    expect(letIn).toEqual([1, 2, 3]);
    expect(room.isFree).toBe(true);
  });

  test("one for whom there is no room in time is refused, and leaves the queue", async () => {
    const room = new IntakeRoom(() => true);
    const first = room.wait();
    vi.advanceTimersByTime(ROOM_WAIT_MS);
    expect(await first).toBe(false);
    const second = room.wait();
    room.letAllIn();
    expect(await second).toBe(true);
  });
});
