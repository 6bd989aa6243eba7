import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RETRY_WINDOW_MS } from "../../src/journal/limits.ts";
import { RetryWindow, retryKey } from "../../src/journal/retry-window.ts";

const NOW_MS = 1_700_000_000_000;

function keyOf(number: number): Uint8Array {
  return retryKey("logs", "", Buffer.from(String(number)));
}

function entryAt(receivedUnixMs: number, receivedCount = 3) {
  return { receivedUnixMs, receivedCount, rejectedCount: 1 };
}

describe("a retry key", () => {
  test("is the first half of a SHA-256 over signal, principal and body", () => {
    const body = Buffer.from("body");
    const digest = createHash("sha256").update("logs\0alice\0body").digest("hex");
    expect(Buffer.from(retryKey("logs", "alice", body)).toString("hex")).toBe(digest.slice(0, 32));
  });

  test("differs by signal, by principal and by body", () => {
    const body = Buffer.from("body");
    const keys = [
      retryKey("logs", "a", body),
      retryKey("traces", "a", body),
      retryKey("logs", "b", body),
      retryKey("logs", "", body),
      retryKey("logs", "a", Buffer.from("bodY")),
    ];
    expect(new Set(keys.map((key) => Buffer.from(key).toString("hex"))).size).toBe(keys.length);
  });
});

describe("a retry window", () => {
  test("finds what was added, with the counts that answer a duplicate", () => {
    const window = new RetryWindow();
    window.add(keyOf(1), entryAt(NOW_MS), NOW_MS);
    expect(window.find(keyOf(1))).toEqual(entryAt(NOW_MS));
    expect(window.find(keyOf(2))).toBeUndefined();
  });

  test("forgets a request once it is ten minutes old", () => {
    const window = new RetryWindow();
    window.add(keyOf(1), entryAt(NOW_MS), NOW_MS);
    const end = NOW_MS + RETRY_WINDOW_MS;
    expect(window.find(keyOf(1), end - 1)).toBeDefined();
    expect(window.find(keyOf(1), end)).toBeUndefined();
    window.add(keyOf(2), entryAt(end - 1), end - 1);
    expect(window.size).toBe(2);
    window.add(keyOf(3), entryAt(end), end);
    expect(window.size).toBe(2);
    expect(window.find(keyOf(1))).toBeUndefined();
  });

  test("keeps a key's last entry where it is added again", () => {
    const window = new RetryWindow();
    window.add(keyOf(1), entryAt(NOW_MS, 3), NOW_MS);
    window.add(keyOf(1), entryAt(NOW_MS + 5, 9), NOW_MS + 5);
    expect(window.size).toBe(1);
    expect(window.find(keyOf(1))).toEqual(entryAt(NOW_MS + 5, 9));
  });

  test("full of keys drops the oldest for a new one", () => {
    const window = new RetryWindow(3000);
    for (let number = 0; number < 10_000; number++) {
      window.add(keyOf(number), entryAt(NOW_MS, number), NOW_MS);
    }
    expect(window.size).toBe(3000);
    for (let number = 0; number < 10_000; number++) {
      expect(window.find(keyOf(number))?.receivedCount).toBe(number < 7000 ? undefined : number);
    }
  });

  test("answers as a list of the newest entries does, whatever is added when", () => {
    const keys = 40;
    const step = fc.record({
      // Few first bytes, so that places in the table collide.
      key: fc.nat(keys - 1),
      waitMs: fc.oneof(fc.nat(10), fc.nat(RETRY_WINDOW_MS / 4)),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.integer({ min: 1, max: 20 }),
        (steps, max) => {
          const window = new RetryWindow(max);
          const keyAt = (number: number): Uint8Array => {
            const key = new Uint8Array(16);
            key[0] = number % 3;
            key[15] = number;
            return key;
          };
          let model: { key: number; atMs: number }[] = [];
          let nowMs = NOW_MS;
          for (const { key, waitMs } of steps) {
            nowMs += waitMs;
            while (model.length > 0 && model[0].atMs <= nowMs - RETRY_WINDOW_MS) model.shift();
            const known = model.find((entry) => entry.key === key);
            if (known !== undefined) known.atMs = nowMs;
            else model = [...model, { key, atMs: nowMs }].slice(-max);
            window.add(keyAt(key), entryAt(nowMs), nowMs);
            expect(window.size).toBe(model.length);
            for (let number = 0; number < keys; number++) {
              const expected = model.find((entry) => entry.key === number)?.atMs;
              expect(window.find(keyAt(number))?.receivedUnixMs).toBe(expected);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
