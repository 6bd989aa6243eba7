import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { splitAnswer } from "../../src/cli/answer-lines.ts";

async function* chunksOf(text: string, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  let start = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    yield bytes.subarray(start, Math.min(cut, bytes.length));
    start = Math.min(cut, bytes.length);
  }
  yield bytes.subarray(start);
}

async function read(text: string, cuts: readonly number[] = []): Promise<unknown> {
  const answer = splitAnswer(chunksOf(text, cuts));
  let lines = "";
  let next = await answer.next();
  while (next.done !== true) {
    const chunk = Buffer.from(next.value).toString();
    expect(chunk).toMatch(/\n$/);
    lines += chunk;
    next = await answer.next();
  }
  return { lines, ...next.value };
}

const END = '{"end":{"status":"complete","reasons":[]}}\n';

describe("a streamed answer", () => {
  test("is the same however it was cut on its way", async () => {
    const entries = '{"message":"a"}\n{"message":"é🚀"}\n{"message":"c"}\n';
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(110)), async (cuts) => {
        expect(await read(entries + END, cuts)).toEqual({
          lines: entries,
          status: "complete",
          reasons: [],
        });
      }),
    );
  });

  test("may be empty", async () => {
    expect(await read(END)).toEqual({ lines: "", status: "complete", reasons: [] });
  });

  test('tells a row with a column "end" from the end', async () => {
    const row = '{"end":{"status":"x"},"count":3}\n';
    expect(await read(row + END)).toMatchObject({ lines: row, status: "complete" });
  });

  test("hands on why it is partial", async () => {
    const end = '{"end":{"status":"partial","reasons":["30 s are over",7]}}\n';
    expect(await read(end)).toEqual({ lines: "", status: "partial", reasons: ["30 s are over"] });
  });

  test.each(["", '{"message":"a"}\n', '{"message":"a"}\n{"end":{"sta', '{"end":7}\n'])(
    "without its end is an error, not a whole answer: %j",
    async (text) => {
      await expect(read(text)).rejects.toMatchObject({ code: "SERVICE_UNREACHABLE" });
    },
  );
});
