import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ALL_TIME } from "../../../src/core/time.ts";
import { MERGE_LIMITS } from "../../../src/log-store/merge-plan.ts";
import { SegmentReader } from "../../../src/log-store/segment-reader.ts";
import type { NumberPointToEncode } from "../../../src/wire/otlp-encode.ts";
import { encodeMetricsRequest } from "../../../src/wire/otlp-encode.ts";
import type { EmbeddedStore } from "../../../src/log-store/embedded-store.ts";
import { ALL, BUDGET, openStore, temporaryFolder } from "../store-user.ts";

const START_NS = 1_736_282_047_000_000_000n;

/** Points of one moment: counters and gauges of a few cores. */
function moment(index: number): Uint8Array {
  const timeUnixNs = START_NS + BigInt(index) * 10_000_000_000n;
  const pointOf = (core: number, value: bigint | number): NumberPointToEncode => ({
    attributes: new Map([["cpu", `cpu${core}`]]),
    timeUnixNs,
    value,
  });
  const cores = [0, 1, 2];
  return encodeMetricsRequest({
    resource: new Map([["service.name", `camera-${index % 2}`]]),
    scopeName: "test",
    metrics: [
      {
        name: "frames",
        unit: "1",
        type: { kind: "sum", isMonotonic: true },
        points: cores.map((core) => pointOf(core, 2n ** 60n * BigInt(core) + BigInt(index))),
      },
      {
        name: "temperature",
        unit: "Cel",
        type: { kind: "gauge" },
        points: cores.map((core) => pointOf(core, core + (index % 7) / 10)),
      },
    ],
  });
}

async function append(store: EmbeddedStore, from: number, to: number): Promise<void> {
  for (let index = from; index < to; index++) {
    await store.append({ signal: "metrics", body: moment(index), principal: "" });
  }
}

/** The lines of all points. */
async function linesOf(store: EmbeddedStore): Promise<readonly string[]> {
  const request = {
    signal: "metrics",
    filter: ALL,
    range: ALL_TIME,
    order: "oldest",
    budget: BUDGET,
  } as const;
  let text = "";
  for await (const { lines } of store.search(request, new AbortController().signal)) {
    text += new TextDecoder().decode(lines);
  }
  return text.split("\n").slice(0, -1);
}

function sectionNames(directory: string): readonly (readonly string[])[] {
  const folder = join(directory, "segments");
  return readdirSync(folder).map((file) => {
    const reader = new SegmentReader(join(folder, file));
    reader.close();
    return reader.footer.blocks.flatMap(({ sections }) => sections.map(({ name }) => name));
  });
}

test("points are the same open, sealed by series, and merged, alone or with those of few rows", async () => {
  const directory = temporaryFolder();
  const store = await openStore(directory, {
    maintenance: { merge: { ...MERGE_LIMITS, countMin: 3, growthMin: 1 }, tickMs: 3_600_000 },
  });
  await append(store, 0, 40);
  const open = await linesOf(store);
  expect(open).toHaveLength(240);
  await store.seal();
  expect(await linesOf(store)).toEqual(open);
  expect(sectionNames(directory)[0]).toEqual(expect.arrayContaining(["series", "points"]));
  for (const name of ["value", "rest", "resource", "metric", "temporality"]) {
    expect(sectionNames(directory)[0]).not.toContain(name);
  }

  // One moment has as many series as rows: its columns stand as they are.
  await append(store, 40, 41);
  await store.seal();
  expect(sectionNames(directory)[1]).toContain("value");
  await append(store, 41, 60);
  const before = await linesOf(store);
  await store.seal();
  await store.merge();
  expect(readdirSync(join(directory, "segments"))).toHaveLength(1);
  expect(sectionNames(directory)[0]).toContain("points");
  expect(await linesOf(store)).toEqual(before);
});
