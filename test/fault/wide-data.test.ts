import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { peakResidentBytes } from "../../bench/process-usage.ts";
import { waitUntilSealed } from "../../bench/service-status.ts";
import type { AnyValue } from "../../src/core/any-value.ts";
import { encodeLogsRequest } from "../../src/wire/otlp-encode.ts";
import { LONG_TEST_MS } from "../run-size.ts";
import { startServe } from "../serve-process.ts";

/** 500 to 560 MB were seen, of which some 60 are the program itself. */
const MEMORY_BYTES_MAX = 640 * 1024 * 1024;
const KEYS = 10_000;
const RESOURCES = 100_000;
const PER_REQUEST = 1000;

test(
  "100,000 resources and 10,000 keys whose values change their type: nothing is lost, and memory stays",
  async () => {
    const directory = await mkdtemp(join(tmpdir(), "dora-wide-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const service = await startServe({ dataDirectory: join(directory, "store") });
    onTestFinished(async () => void (await service.close()));
    for (let first = 0; first < RESOURCES; first += PER_REQUEST) {
      const response = await fetch(`${service.otlpHttp}/v1/logs`, {
        method: "POST",
        headers: { "content-type": "application/x-protobuf" },
        body: requestFrom(first),
      });
      expect(response.status).toBe(200);
    }
    const count = async (query: string): Promise<unknown> => {
      const url = `${service.api}/api/v1/logs/count?query=${encodeURIComponent(query)}`;
      const answer: unknown = await (await fetch(url)).json();
      return answer;
    };
    for (const state of ["open", "sealed"]) {
      if (state === "sealed") expect(await waitUntilSealed(service.api)).toBe(0);
      const halfOfKey = RESOURCES / KEYS / 2;
      expect(await count("message:wide"), state).toMatchObject({ count: RESOURCES });
      expect(await count("resource.pod:pod-77777"), state).toMatchObject({ count: 1 });
      // The same key is a number at first, and a text later: both are kept, and found as what they are.
      expect(await count("key_1234>=0"), state).toMatchObject({ count: halfOfKey });
      expect(await count("key_1234:number*"), state).toMatchObject({ count: halfOfKey });
    }
    expect(peakResidentBytes(service.pid)).toBeLessThan(MEMORY_BYTES_MAX);
  },
  LONG_TEST_MS,
);

/** Fields of requests that follow one another are those of one request, as protobuf has it. */
function requestFrom(first: number): Uint8Array<ArrayBuffer> {
  const requests = Array.from({ length: PER_REQUEST }, (_, index) => {
    const number = first + index;
    const isText = number >= RESOURCES / 2;
    const key = `key_${number % KEYS}`;
    return encodeLogsRequest({
      resource: new Map<string, AnyValue>([
        ["service.name", "wide"],
        ["pod", `pod-${number}`],
      ]),
      scopeName: "test",
      records: [
        {
          timeUnixNs: BigInt(Date.now()) * 1_000_000n,
          severityNumber: 9,
          severityText: "INFO",
          body: "wide",
          attributes: new Map<string, AnyValue>([
            [key, isText ? `number ${number}` : BigInt(number)],
          ]),
        },
      ],
    });
  });
  return new Uint8Array(Buffer.concat(requests));
}
