import { expect, test } from "vitest";
import { SEVERITY_BANDS, severityBandOf, severityName } from "../../src/core/severity.ts";

test("each severity number has its level, and 0 and others have none (LOG-001)", () => {
  const names = Array.from({ length: 25 }, (_, number) => severityName(number));
  expect(names).toEqual([
    "UNSPECIFIED",
    ...["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"].flatMap((name) =>
      Array.from({ length: 4 }, () => name),
    ),
  ]);
  expect([-1, 25, 1_000].map(severityName)).toEqual(Array.from({ length: 3 }, () => "UNSPECIFIED"));
});

test("a level is known by its name in any case, and by what else people call it (LOG-001)", () => {
  for (const band of SEVERITY_BANDS) expect(severityBandOf(band.name.toLowerCase())).toBe(band);
  expect(severityBandOf("Warning")?.name).toBe("WARN");
  expect(severityBandOf("err")?.min).toBe(17);
  expect(severityBandOf("critical")?.name).toBe("FATAL");
  expect(severityBandOf("loud")).toBeUndefined();
});
