import { expect, test } from "vitest";
import { didYouMean, nearestName } from "../../src/core/nearest-name.ts";

const KNOWN = ["http", "grpc", "endpoint", "retention", "limit_mib"];

test.each([
  ["htpp", "http"],
  ["htt", "http"],
  ["gprc", "grpc"],
  ["GRPC", "grpc"],
  ["end_point", "endpoint"],
  ["retenton", "retention"],
  ["limt_mbi", "limit_mib"],
])("%s is taken for %s", (name, known) => {
  expect(nearestName(name, KNOWN)).toBe(known);
});

test.each([["kafka"], ["x"], [""], ["abcdefgh"], ["h".repeat(100)]])(
  "nothing is near to %j",
  (name) => {
    expect(nearestName(name, KNOWN)).toBeUndefined();
    expect(didYouMean(name, KNOWN)).toBe("");
  },
);

test("a near name is offered as a clause", () => {
  expect(didYouMean("htpp", KNOWN)).toBe(', did you mean "http"?');
});
