import { spawnSync } from "node:child_process";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LINE_BYTES_MAX } from "../../../src/runtime/telemetry/line-splitter.ts";
import type { OutputRecord } from "../../../src/runtime/telemetry/output-records.ts";
import { OutputReader } from "../../../src/runtime/telemetry/output-records.ts";

/** 2026-11-22T16:59:58.250Z, as the real lines below were written. */
const NOW = BigInt(Date.UTC(2026, 10, 22, 16, 59, 58, 250)) * 1_000_000n;

function recordsOf(text: string | Buffer, stream: "stdout" | "stderr" = "stderr") {
  const reader = new OutputReader(stream);
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  return [...reader.push(bytes, NOW), ...reader.flush(NOW, true)];
}

function brief({ severityNumber, logger, body }: OutputRecord) {
  return { severityNumber, logger, body };
}

describe("a real Python node's output", () => {
  // As dora-rs's daemon caught it from a node that uses `logging` with its usual format.
  const TEXT = [
    "INFO:xform:processed 1",
    "WARNING:xform:warn at 2",
    "ERROR:xform:boom at 4",
    "Traceback (most recent call last):",
    '  File "/home/robot/flows/df/transform.py", line 21, in <module>',
    "    try: 1/0",
    "         ~^~",
    "ZeroDivisionError: division by zero",
    "DEBUG:xform:debug at 5",
    "CRITICAL:xform:crit at 6",
    "stderr line é ☃ at 7",
    "",
  ].join("\n");

  test("levels and loggers are found, the traceback belongs to the record before it", () => {
    const records = recordsOf(TEXT);
    expect(records.map(brief)).toEqual([
      { severityNumber: 9, logger: "xform", body: "processed 1" },
      { severityNumber: 13, logger: "xform", body: "warn at 2" },
      {
        severityNumber: 17,
        logger: "xform",
        body: TEXT.slice(TEXT.indexOf("boom"), TEXT.indexOf("\nDEBUG")),
      },
      { severityNumber: 5, logger: "xform", body: "debug at 5" },
      { severityNumber: 21, logger: "xform", body: "crit at 6" },
      { severityNumber: 9, logger: "", body: "stderr line é ☃ at 7" },
    ]);
    expect(records[2]?.attributes).toEqual({
      "exception.type": "ZeroDivisionError",
      "exception.message": "division by zero",
    });
  });

  test("the records are the same wherever the bytes are cut into chunks", () => {
    const bytes = Buffer.from(TEXT);
    const whole = recordsOf(TEXT);
    for (let at = 1; at < bytes.length; at++) {
      const reader = new OutputReader("stderr");
      const records = [
        ...reader.push(bytes.subarray(0, at), NOW),
        ...reader.push(bytes.subarray(at), NOW),
        ...reader.flush(NOW, true),
      ];
      expect(records).toEqual(whole);
    }
  });
});

test("a chunk is not kept: the pipe may use it again", () => {
  const reader = new OutputReader("stdout");
  const chunk = Buffer.from("half a li");
  reader.push(chunk, NOW);
  chunk.fill(0x78);
  expect(reader.push(Buffer.from("ne\n"), NOW)).toEqual([]);
  expect(reader.flush(NOW, true).map((record) => record.body)).toEqual(["half a line"]);
});

test("a line without an end is told at a flush, but for the bytes of a character that is cut", () => {
  const reader = new OutputReader("stdout");
  const bytes = Buffer.from("progress 5 ☃ and more\n");
  const cut = bytes.indexOf(0xe2) + 2;
  reader.push(bytes.subarray(0, cut), NOW);
  expect(reader.flush(NOW, false).map((record) => record.body)).toEqual(["progress 5 "]);
  expect(reader.isPending).toBe(true);
  reader.push(bytes.subarray(cut), NOW);
  expect(reader.flush(NOW, true).map((record) => record.body)).toEqual(["☃ and more"]);
});

test("a line is cut at 1 MiB on a whole character, and what is beyond is counted", () => {
  const reader = new OutputReader("stdout");
  const line = `x${"é".repeat(LINE_BYTES_MAX)}`;
  for (let at = 0; at < line.length; at += 100_000) {
    reader.push(Buffer.from(line.slice(at, at + 100_000)), NOW);
  }
  reader.push(Buffer.from("\nnext\n"), NOW);
  const [record] = reader.flush(NOW, true);
  expect(record?.body).toBe("next");
  expect(reader.cut.lines).toBe(1);
  expect(reader.cut.bytes).toBe(1 + 2 * LINE_BYTES_MAX - (LINE_BYTES_MAX - 1));
});

test("bytes that are no UTF-8 lose nothing around them", () => {
  const bytes = Buffer.concat([Buffer.from("a"), Buffer.from([0xff, 0xc3]), Buffer.from("b\n")]);
  expect(recordsOf(bytes)[0]?.body).toBe("a\ufffd\ufffdb");
});

test("whatever the bytes, each line that is not blank is in a record", () => {
  const piece = fc.constantFrom("a", " ", "at x (y)", "\n", "\r\n", "\n\n", "Traceback", "{", "}");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), fc.nat(7), (pieces, step) => {
      const bytes = Buffer.from(pieces.join(""));
      const reader = new OutputReader("stdout");
      const records: OutputRecord[] = [];
      for (let at = 0; at < bytes.length; at += step + 1) {
        records.push(...reader.push(bytes.subarray(at, at + step + 1), NOW));
      }
      records.push(...reader.flush(NOW, true));
      const told = records.flatMap((record) => record.body.split("\n"));
      const lines = pieces.join("").split(/\r?\n/);
      const isText = (line: string) => line.trim() !== "";
      expect(told.filter(isText)).toEqual(lines.filter(isText));
    }),
  );
});

describe("stacks become one record", () => {
  test("an error that a real Node.js process does not catch", () => {
    const script = 'console.error("before"); null.frame; // late';
    const run = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
    const records = recordsOf(run.stderr);
    const error = records.at(-1);
    expect(error?.severityNumber).toBe(17);
    expect(error?.attributes["exception.type"]).toBe("TypeError");
    expect(error?.body).toMatch(/Cannot read properties[^]*\n {4}at [^]*\nNode\.js v\d/);
    expect(records[0]?.body).toBe("before");
  });

  test("an error with a cause and properties, as console prints it", () => {
    const script = `
      const cause = new RangeError("too far");
      console.log("one");
      console.log(Object.assign(new Error("late frame", { cause }), { code: "LATE" }));
      console.log("two");`;
    const run = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
    const records = recordsOf(run.stdout, "stdout");
    expect(records.map((record) => record.severityNumber)).toEqual([9, 17, 9]);
    expect(records[1]?.body).toMatch(
      /^Error: late[^]*code: 'LATE'[^]*\[cause\]: RangeError: too far[^]*\}$/,
    );
    expect(records[1]?.attributes["exception.message"]).toBe("late frame");
  });

  const STACKS: readonly (readonly [string, number, string, string])[] = [
    [
      "Python, chained",
      17,
      "RuntimeError",
      'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nKeyError: \'x\'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File "a.py", line 3, in <module>\n    f()\nRuntimeError: late',
    ],
    [
      "Java",
      17,
      "java.lang.IllegalStateException",
      'Exception in thread "main" java.lang.IllegalStateException: late frame\n\tat com.example.Camera.grab(Camera.java:41)\n\tat com.example.Main.main(Main.java:7)\nCaused by: java.io.IOException: gone\n\tat com.example.Camera.read(Camera.java:12)\n\t... 1 more',
    ],
    [
      "Rust",
      17,
      "panic",
      "thread 'main' panicked at src/main.rs:4:5:\nindex out of bounds: the len is 3 but the index is 99\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/std/src/panicking.rs:645:5\nnote: run with `RUST_BACKTRACE=full` for a verbose backtrace.",
    ],
    [
      "Go",
      21,
      "panic",
      "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:8 +0x1d\nexit status 2",
    ],
  ];
  test.each(STACKS)("%s", (_, severityNumber, type, text) => {
    const records = recordsOf(`INFO:app:before\n${text}\nINFO:app:after\n`);
    expect(records.map((record) => record.severityNumber)).toEqual([9, severityNumber, 9]);
    expect(records[1]?.body).toBe(text);
    expect(records[1]?.attributes["exception.type"]).toBe(type);
    expect(records[1]?.attributes["exception.message"]).toMatch(/late|index out of/);
  });

  test("prose that begins like a stack does is no stack", () => {
    const records = recordsOf("we meet\n    at noon\n", "stdout");
    expect(records.map(brief)).toEqual([
      { severityNumber: 9, logger: "", body: "we meet" },
      { severityNumber: 9, logger: "", body: "    at noon" },
    ]);
  });

  test("a stack beyond 1 MiB goes on in another record", () => {
    const line = `    at f (${"x".repeat(1000)}.js:1:1)`;
    const records = recordsOf(`Error: deep\n${`${line}\n`.repeat(1500)}`);
    expect(records.length).toBeGreaterThan(1);
    const lines = records.flatMap((record) => record.body.split("\n"));
    expect(lines).toHaveLength(1501);
  });
});
