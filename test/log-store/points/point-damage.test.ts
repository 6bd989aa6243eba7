import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SegmentReader } from "../../../src/log-store/segment-reader.ts";
import { encodeMetricsRequest } from "../../../src/wire/otlp-encode.ts";
import { aggregate, lawHolds, openStore, temporaryFolder } from "../store-user.ts";
import { searchPoints } from "./point-search.ts";

const MORNING_NS = 1_736_236_800_000_000_000n;
const DAY_NS = 86_400_000_000_000n;
const MOMENTS = 60;

/** A closed store with a segment a day, two of them, each of one block of two series. */
async function sealedPoints(): Promise<{ directory: string; paths: readonly string[] }> {
  const directory = temporaryFolder();
  const store = await openStore(directory);
  for (const [day, midnight] of [MORNING_NS, MORNING_NS + DAY_NS].entries()) {
    const points = Array.from({ length: MOMENTS }, (_, moment) => ({
      timeUnixNs: midnight + BigInt(moment) * 10_000_000_000n,
      value: day * 100 + ((moment * 37) % 10) / 10,
      attributes: new Map(),
    }));
    const body = encodeMetricsRequest({
      resource: new Map([["service.name", "camera"]]),
      scopeName: "meter",
      metrics: ["temperature", "rate"].map((name) => ({ name, type: { kind: "gauge" }, points })),
    });
    await store.append({ signal: "metrics", body, principal: "" });
  }
  await store.seal();
  await store.close();
  const folder = join(directory, "segments");
  return {
    directory,
    paths: readdirSync(folder)
      .toSorted()
      .map((file) => join(folder, file)),
  };
}

/** Three bytes of a section of the first block. */
function offsetsIn(path: string, name: string): readonly number[] {
  const reader = new SegmentReader(path);
  reader.close();
  const section = reader.footer.blocks[0]?.sections.find((one) => one.name === name);
  expect(section, name).toBeDefined();
  const { offset, size } = section ?? { offset: 0, size: 0 };
  return [offset, offset + (size >>> 1), offset + size - 1];
}

test.each(["series", "points", "seq", "time.ns"])(
  "a damaged byte of the section %s is named once, and costs the points of its block alone",
  async (name) => {
    const { directory, paths } = await sealedPoints();
    const [path = "", other = ""] = paths;
    expect(paths).toHaveLength(2);
    const good = readFileSync(path);
    for (const offset of offsetsIn(path, name)) {
      const bytes = Buffer.from(good);
      bytes[offset] ^= 0x10;
      writeFileSync(path, bytes);
      const store = await openStore(directory);
      const { entries, end } = await searchPoints(store);
      expect(end.status).toBe("partial");
      expect(end.reasons).toHaveLength(1);
      expect(end.reasons[0]).toContain(`${path}: section ${name}`);
      expect(end.reasons[0]).not.toContain(other);
      expect(entries).toHaveLength(2 * MOMENTS);
      expect(entries.every(({ value }) => (value ?? 0) >= 100)).toBe(true);
      expect(lawHolds(store)).toBe(true);
      await store.close();
    }
    writeFileSync(path, good);
    const { entries, end } = await searchPoints(await openStore(directory));
    expect(end.status).toBe("complete");
    expect(entries).toHaveLength(4 * MOMENTS);
  },
);

test("damaged values cost no count of points", async () => {
  const { directory, paths } = await sealedPoints();
  const [path = ""] = paths;
  const bytes = readFileSync(path);
  const [offset = 0] = offsetsIn(path, "points");
  bytes[offset] ^= 0x10;
  writeFileSync(path, bytes);
  const result = await aggregate(await openStore(directory), {
    signal: "metrics",
    filter: {
      kind: "field",
      field: { target: "any", key: "name" },
      test: { op: "equals", text: "rate", anyCase: false },
    },
    by: [],
    stats: [{ kind: "count", name: "count" }],
  });
  expect(result).toMatchObject({ status: "complete", rows: [{ count: 2 * MOMENTS }] });
});
