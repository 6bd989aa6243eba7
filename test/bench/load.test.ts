import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  generateLoad,
  LOAD_DAY_UNIX_MS,
  type LoadRequest,
  type LoadRow,
} from "../../bench/load.ts";
import { OtlpLogWriter } from "../../bench/otlp-writer.ts";
import { APPLICATIONS } from "../../bench/applications.ts";
import { decodeReferenceRequest } from "../wire/otlp-reference.ts";

const LOAD = { seed: 1, recordCount: 40_000, recordsPerRequest: 2_000 };
/** What the test reads of a request that protobufjs decoded. */
const Request = z.object({
  resourceLogs: z.array(
    z.object({
      scopeLogs: z.array(
        z.object({
          scope: z.object({ name: z.string() }),
          logRecords: z.array(
            z.object({
              timeUnixNano: z.string(),
              severityNumber: z.number(),
              severityText: z.string(),
              body: z.object({ stringValue: z.string() }),
              attributes: z.array(z.object({ key: z.string() })).default([]),
              traceId: z.string().optional(),
              spanId: z.string().optional(),
              flags: z.number().optional(),
            }),
          ),
        }),
      ),
    }),
  ),
});

const DAY_NS = 86_400_000_000_000n;

describe("the load", () => {
  const requests = [...generateLoad(LOAD)];
  const rows = requests.flatMap((request) => request.rows);

  test("is the same for the same seed, and another for another", () => {
    const again = digest([...generateLoad(LOAD)]);
    expect(again).toBe(digest(requests));
    expect(digest([...generateLoad({ ...LOAD, seed: 2 })])).not.toBe(again);
  });

  test("has the records that were asked for, in requests of the size asked for", () => {
    expect(rows).toHaveLength(LOAD.recordCount);
    expect(new Set(requests.map((request) => request.rows.length))).toEqual(new Set([2_000]));
    const uneven = [...generateLoad({ ...LOAD, recordCount: 2_001 })];
    expect(uneven.map((request) => request.rows.length)).toEqual([2_000, 1]);
  });

  test("speaks as a dozen applications and more, errors and traces in the shares of real logs", () => {
    const share = (holds: (row: (typeof rows)[number]) => boolean): number =>
      rows.filter(holds).length / rows.length;
    expect(APPLICATIONS.length).toBeGreaterThan(12);
    expect(new Set(rows.map((row) => row.logger)).size).toBe(APPLICATIONS.length);
    expect(share((row) => row.severityNumber >= 17)).toBeGreaterThan(0.04);
    expect(share((row) => row.severityNumber >= 17)).toBeLessThan(0.09);
    expect(share((row) => row.traceId !== "")).toBeCloseTo(0.5, 1);
    expect(share((row) => row.attributes.length > 0)).toBeGreaterThan(0.4);
    expect(rows.some((row) => row.body.split("\n").length > 10)).toBe(true);
  });

  test("covers its day and stays in it", () => {
    const start = BigInt(LOAD_DAY_UNIX_MS) * 1_000_000n;
    expect(rows.every(({ timeUnixNs }) => timeUnixNs >= start)).toBe(true);
    expect(rows.every(({ timeUnixNs }) => timeUnixNs < start + DAY_NS)).toBe(true);
    expect(rows.some(({ timeUnixNs }) => timeUnixNs > start + (DAY_NS * 9n) / 10n)).toBe(true);
  });
});

describe("the load's encoder", () => {
  test("writes what protobuf reads: every record of a request, in its order", () => {
    for (const { body, rows } of generateLoad({ ...LOAD, recordCount: 3_000 })) {
      const { resourceLogs } = Request.parse(decodeReferenceRequest("logs", body));
      const records = resourceLogs.flatMap(({ scopeLogs }) =>
        scopeLogs.flatMap(({ scope, logRecords }) =>
          logRecords.map((record) => Object.assign(record, { logger: scope.name })),
        ),
      );
      expect(records).toEqual(rows.map(toReference));
    }
  });

  test("keeps what was written when a record needs more room", () => {
    const logs = ["first", "second".repeat(500_000)].map((body) => ({
      timeUnixNs: 1n,
      severityNumber: 9,
      severityText: "INFO",
      body,
      attributes: [["ratio", -0.5] as const, ["late", true] as const],
      traceId: "",
      spanId: "",
    }));
    const bytes = new OtlpLogWriter().encodeRequest([{ resource: [], scopeName: "s", logs }]);
    expect(decodeReferenceRequest("logs", bytes)).toMatchObject({
      resourceLogs: [
        {
          scopeLogs: [
            {
              logRecords: logs.map(({ body }) => ({
                body: { stringValue: body },
                attributes: [
                  { key: "ratio", value: { doubleValue: -0.5 } },
                  { key: "late", value: { boolValue: true } },
                ],
              })),
            },
          ],
        },
      ],
    });
  });
});

/** A row as protobufjs gives its record. */
function toReference(row: LoadRow): object {
  const trace =
    row.traceId === ""
      ? {}
      : { traceId: toBase64(row.traceId), spanId: toBase64(row.spanId), flags: 1 };
  return {
    timeUnixNano: row.timeUnixNs.toString(),
    severityNumber: row.severityNumber,
    severityText: row.severityText,
    body: { stringValue: row.body },
    attributes: row.attributes.map(([key]) => ({ key })),
    ...trace,
    logger: row.logger,
  };
}

function toBase64(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64");
}

function digest(requests: readonly LoadRequest[]): string {
  const hash = createHash("sha256");
  for (const { body } of requests) hash.update(body);
  return hash.digest("hex");
}
