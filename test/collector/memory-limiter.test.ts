import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { MemoryLimiter } from "../../src/collector/memory-limiter.ts";
import { ManualClock } from "./manual-clock.ts";

describe("bytes in flight", () => {
  const limiterOf = (inFlightBytesMax: number) =>
    new MemoryLimiter({ inFlightBytesMax, clock: systemClock });

  test("reservations are granted up to the limit, refused past it and counted (PIPE-003)", () => {
    const limiter = limiterOf(100);
    expect(limiter.tryReserve(60)?.bytes).toBe(60);
    expect(limiter.tryReserve(41)).toBeUndefined();
    expect(limiter.tryReserve(40)?.bytes).toBe(40);
    expect(limiter.inFlightBytes).toBe(100);
    expect(limiter.refusedCount).toBe(1);
  });

  test("a released reservation makes room, and releasing it twice gives nothing twice", () => {
    const limiter = limiterOf(100);
    const first = limiter.tryReserve(100);
    first?.release();
    first?.release();
    expect(limiter.inFlightBytes).toBe(0);
    expect(limiter.tryReserve(100)).toBeDefined();
    expect(limiter.tryReserve(1)).toBeUndefined();
  });

  test("a reservation grows while there is room and keeps what it has when there is none", () => {
    const limiter = limiterOf(100);
    const reservation = limiter.tryReserve(10);
    expect(reservation?.grow(50)).toBe(true);
    expect(reservation?.grow(41)).toBe(false);
    expect(reservation?.bytes).toBe(60);
    reservation?.shrinkTo(20);
    expect(limiter.inFlightBytes).toBe(20);
    reservation?.shrinkTo(90);
    expect(limiter.inFlightBytes).toBe(20);
    reservation?.release();
    expect(limiter.inFlightBytes).toBe(0);
  });
});

describe("resident memory", () => {
  /** Hard 1000, soft 800 (spike 20 %). */
  function setUp() {
    const clock = new ManualClock();
    const process = { residentBytes: 0, collections: 0, freedBytes: 0 };
    const limiter = new MemoryLimiter({
      inFlightBytesMax: 10_000,
      hardLimitBytes: 1000,
      clock,
      readResidentBytes: () => process.residentBytes,
      collectGarbage: () => {
        process.collections += 1;
        process.residentBytes -= process.freedBytes;
      },
    });
    const becomes = (residentBytes: number) => {
      process.residentBytes = residentBytes;
      clock.nowMs += 1000;
    };
    return { clock, process, limiter, becomes };
  }

  test("above the soft limit, 20 % below the hard one, requests are refused (PIPE-002)", () => {
    const { limiter, becomes } = setUp();
    becomes(799);
    expect(limiter.tryReserve(1)).toBeDefined();
    becomes(800);
    expect(limiter.tryReserve(1)).toBeUndefined();
    becomes(799);
    expect(limiter.tryReserve(1)).toBeDefined();
  });

  test("above the soft limit a request goes through while nothing is in flight", () => {
    const { limiter, becomes } = setUp();
    becomes(900);
    const only = limiter.tryReserve(1);
    expect(only).toBeDefined();
    expect(limiter.tryReserve(1)).toBeUndefined();
    only?.release();
    expect(limiter.tryReserve(1)).toBeDefined();
  });

  test("above the hard limit garbage is collected, and what still does not fit is refused (PIPE-002)", () => {
    const { limiter, becomes, process } = setUp();
    becomes(1000);
    expect(limiter.tryReserve(1)).toBeUndefined();
    expect(process.collections).toBe(1);
    process.freedBytes = 500;
    becomes(1100);
    expect(limiter.tryReserve(1)).toBeDefined();
    expect(process.collections).toBe(2);
  });

  test("above the hard limit a body that is being read may not grow", () => {
    const { limiter, becomes } = setUp();
    const reservation = limiter.tryReserve(1);
    becomes(900);
    expect(reservation?.grow(1)).toBe(true);
    becomes(1000);
    expect(reservation?.grow(1)).toBe(false);
  });

  test("the process is looked at once a check interval, not once a request", () => {
    const { limiter, clock, process, becomes } = setUp();
    becomes(100);
    limiter.tryReserve(1);
    process.residentBytes = 5000;
    clock.nowMs += 999;
    expect(limiter.tryReserve(1)).toBeDefined();
    clock.nowMs += 1;
    expect(limiter.tryReserve(1)).toBeUndefined();
  });

  describe("a large request", () => {
    const MEBIBYTE = 1024 * 1024;

    /** Hard 100 MiB, soft 80 MiB; a large request takes twice its size. */
    function setUpLarge(residentMib: number) {
      const clock = new ManualClock();
      const process = { residentMib, collections: 0, freedMib: 0 };
      const limiter = new MemoryLimiter({
        inFlightBytesMax: 64 * MEBIBYTE,
        hardLimitBytes: 100 * MEBIBYTE,
        clock,
        readResidentBytes: () => process.residentMib * MEBIBYTE,
        collectGarbage: () => {
          process.collections += 1;
          process.residentMib -= process.freedMib;
        },
      });
      return { clock, process, limiter };
    }

    test("must fit below the hard limit with what it becomes (PIPE-002, PIPE-003)", () => {
      expect(setUpLarge(60).limiter.tryReserve(20 * MEBIBYTE)).toBeDefined();
      const { limiter } = setUpLarge(61);
      expect(limiter.tryReserve(20 * MEBIBYTE)).toBeUndefined();
      expect(limiter.tryReserve(MEBIBYTE)).toBeDefined();
      expect(limiter.tryReserve(0)?.grow(20 * MEBIBYTE)).toBe(false);
    });

    test("sees the memory of now, not of the last check (PIPE-003)", () => {
      const { limiter, process } = setUpLarge(10);
      expect(limiter.tryReserve(20 * MEBIBYTE)).toBeDefined();
      process.residentMib = 61;
      expect(limiter.tryReserve(20 * MEBIBYTE)).toBeUndefined();
    });

    test("that does not fit has garbage collected, once a check interval", () => {
      const { limiter, process, clock } = setUpLarge(70);
      expect(limiter.tryReserve(20 * MEBIBYTE)).toBeUndefined();
      process.freedMib = 10;
      expect(limiter.tryReserve(20 * MEBIBYTE)).toBeUndefined();
      expect(process.collections).toBe(1);
      clock.nowMs += 1000;
      expect(limiter.tryReserve(20 * MEBIBYTE)).toBeDefined();
      expect(process.collections).toBe(2);
    });
  });

  test("it measures this process and collects its garbage without a start-up flag", () => {
    const limiter = new MemoryLimiter({
      inFlightBytesMax: 10,
      hardLimitBytes: 1,
      clock: systemClock,
    });
    expect(limiter.tryReserve(1)).toBeUndefined();
    const roomy = new MemoryLimiter({
      inFlightBytesMax: 10,
      hardLimitBytes: 2 ** 40,
      clock: systemClock,
    });
    expect(roomy.tryReserve(1)).toBeDefined();
  });
});
