import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ByteFinder } from "../../../src/log-store/clauses/byte-finder.ts";

test("finds what Buffer.indexOf finds, in bytes that are much like the needle", () => {
  const bytes = fc.array(fc.constantFrom(0x31, 0x32, 0x33, 0x00, 0xff), { maxLength: 200 });
  fc.assert(
    fc.property(bytes, fc.nat(), fc.nat({ max: 12 }), fc.nat(), (all, at, length, from) => {
      const haystack = Buffer.from(all);
      const start = all.length === 0 ? 0 : at % all.length;
      // A needle that is there, and one that may not be.
      const own = haystack.subarray(start, start + length);
      for (const needle of [own, Buffer.concat([own, Buffer.from([0x31, 0x32])])]) {
        if (needle.length === 0) continue;
        const begin = all.length === 0 ? 0 : from % all.length;
        const expected = haystack.indexOf(needle, begin);
        expect(new ByteFinder(needle).find(haystack, begin)).toBe(expected);
      }
    }),
    { numRuns: 5_000 },
  );
});
