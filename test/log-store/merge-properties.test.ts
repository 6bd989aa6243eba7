import { rmSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Filter } from "../../src/core/filter.ts";
import type { LogRecord } from "../../src/core/record.ts";
import type { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import { MERGE_LIMITS } from "../../src/log-store/merge-plan.ts";
import { matchesRecord } from "../query/naive-evaluator.ts";
import { LONG_TEST_MS, runs } from "../run-size.ts";
import type { Request } from "./arbitrary-logs.ts";
import { filter, recordsOf, request } from "./arbitrary-logs.ts";
import { lawHolds, logsRequest, openStore, searchAll, temporaryFolder } from "./store-user.ts";

const RETENTION_MS = 20_000;
const STEP_MS = 900;
const EAGER = { ...MERGE_LIMITS, countMin: 2, growthMin: 1.2, pressingCount: 6 };

const action = fc.constantFrom(
  "nothing",
  "seal",
  "seal",
  "seal",
  "merge",
  "expire",
  "restart",
  "lose the manifest",
  "pass some time",
);

/** A store, and what is known of it from outside. */
class Rehearsal {
  readonly #directory = temporaryFolder();
  #nowMs = 1_000_000;
  #store: EmbeddedStore | undefined;
  #records: readonly LogRecord[] = [];
  readonly #receivedMs: number[] = [];
  /** When the newest record of each one's seal was received; of those that are sealed. */
  readonly #sealedMs: number[] = [];
  #expiredAtMs = 0;
  /** The same, but 0 where expired records may have come back since. */
  #sweptAtMs = 0;
  #isManifestLost = false;
  mergeCount = 0;

  async open(): Promise<EmbeddedStore> {
    this.#store ??= await openStore(this.#directory, {
      clock: {
        nowUnixNs: () => BigInt(this.#nowMs) * 1_000_000n,
        monotonicMs: () => this.#nowMs,
      },
      retentionMs: RETENTION_MS,
      maintenance: { merge: EAGER, tickMs: 3_600_000 },
    });
    return this.#store;
  }

  async close(): Promise<void> {
    this.mergeCount += this.#store?.stats().merges.doneCount ?? 0;
    await this.#store?.close();
    this.#store = undefined;
  }

  async append(one: Request): Promise<void> {
    this.#nowMs += STEP_MS;
    const store = await this.open();
    const body = logsRequest(one.records, one.resource, one.scope);
    // A principal of its own each time, so that equal requests are not taken for retries.
    await store.append({ signal: "logs", body, principal: String(this.#receivedMs.length) });
    const first = this.#records.length;
    const more = recordsOf([one]).map((record, index) =>
      Object.assign(record, { seq: first + index + 1 }),
    );
    this.#records = [...this.#records, ...more];
    for (const _ of more) this.#receivedMs.push(this.#nowMs);
  }

  async act(what: string, filters: readonly Filter[]): Promise<void> {
    const store = await this.open();
    switch (what) {
      case "seal":
        await store.seal();
        while (this.#sealedMs.length < this.#receivedMs.length) {
          this.#sealedMs.push(this.#receivedMs.at(-1) ?? 0);
        }
        break;
      case "merge":
        // Searches that begin before, and go on while their segments are merged away.
        await Promise.all([this.check(filters), store.merge(), this.check(filters)]);
        break;
      case "expire":
        await store.expire();
        this.#expiredAtMs = this.#nowMs;
        this.#sweptAtMs = this.#nowMs;
        break;
      case "restart":
        await this.close();
        break;
      case "lose the manifest":
        await this.close();
        rmSync(join(this.#directory, "manifest.json"));
        this.#isManifestLost = true;
        // The journal may bring back what expired, unsealed: it expires again once it is sealed.
        this.#sealedMs.length = 0;
        this.#sweptAtMs = 0;
        break;
      case "pass some time":
        this.#nowMs += RETENTION_MS / 2;
        break;
    }
  }

  /** The filters give what the naive evaluator gives of the records that must be, or are, there. */
  async check(filters: readonly Filter[]): Promise<void> {
    const store = await this.open();
    const present = new Set((await searchAll(store)).entries.map(({ seq }) => seq));
    for (const [index, { seq }] of this.#records.entries()) {
      const isYoung = (this.#receivedMs[index] ?? 0) >= this.#expiredAtMs - RETENTION_MS;
      if (isYoung) expect(present).toContain(seq);
      const sealedMs = this.#sealedMs[index] ?? Number.POSITIVE_INFINITY;
      const isOld = sealedMs < this.#sweptAtMs - 1.1 * RETENTION_MS;
      if (isOld) expect(present).not.toContain(seq);
    }
    expect(lawHolds(store)).toBe(true);
    const { stored, expired, damaged } = store.counters().logs;
    expect(damaged).toBe(0);
    if (!this.#isManifestLost) expect(stored - expired).toBe(present.size);
    const sorted = this.#records
      .filter(({ seq }) => present.has(seq))
      .toSorted(
        (left, right) => Number(left.timeUnixNs - right.timeUnixNs) || left.seq - right.seq,
      );
    for (const tree of filters) {
      const expected = sorted.filter((one) => matchesRecord(tree, one)).map(({ seq }) => seq);
      const { entries, end } = await searchAll(store, { filter: tree });
      const found = entries.map(({ seq }) => seq);
      expect(found, JSON.stringify(tree)).toEqual(expected);
      expect(end.status).toBe("complete");
    }
  }
}

test(
  "random filters give the same before, during and after merges, with retention, restarts and lost manifests between",
  async () => {
    const numRuns = runs({ part: 40, full: 400 });
    let mergeCount = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(request, fc.array(action, { minLength: 1, maxLength: 3 })), {
          minLength: 3,
          maxLength: 10,
        }),
        fc.array(filter, { minLength: 3, maxLength: 3 }),
        fc.array(filter, { minLength: 20, maxLength: 20 }),
        async (steps, during, after) => {
          const rehearsal = new Rehearsal();
          for (const [one, actions] of steps) {
            await rehearsal.append(one);
            for (const what of actions) await rehearsal.act(what, during);
          }
          await rehearsal.act("seal", []);
          await rehearsal.check(after.slice(0, 10));
          await rehearsal.act("merge", during);
          await rehearsal.check(after);
          await rehearsal.act("restart", []);
          await rehearsal.check(after.slice(0, 5));
          await rehearsal.close();
          mergeCount += rehearsal.mergeCount;
        },
      ),
      // Shrinking would take longer than the test may.
      { numRuns, endOnFailure: true },
    );
    expect(mergeCount).toBeGreaterThan(numRuns);
  },
  LONG_TEST_MS,
);
