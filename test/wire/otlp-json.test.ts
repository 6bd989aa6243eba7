import { describe, expect, test } from "vitest";
import type { Signal } from "../../src/core/record.ts";
import { JSON_DEPTH_MAX } from "../../src/wire/json-reader.ts";
import { otlpJsonToProtobuf } from "../../src/wire/otlp-json.ts";
import { otlpProtobufToJson } from "../../src/wire/otlp-to-json.ts";
import { WireError } from "../../src/wire/wire-error.ts";

function canonical(signal: Signal, text: string | Uint8Array): string {
  const body = typeof text === "string" ? Buffer.from(text) : text;
  return otlpProtobufToJson(signal, otlpJsonToProtobuf(signal, body));
}

const RECORD_START = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[`;
const RECORD_END = `]}]}]}`;
const PATH = "resourceLogs[0].scopeLogs[0].logRecords[0]";

/** What becomes of the members of one log record. */
function record(members: string): string {
  const text = canonical("logs", `${RECORD_START}{${members}}${RECORD_END}`);
  return text.slice(RECORD_START.length, -RECORD_END.length);
}

/** What becomes of the members of one AnyValue. */
function value(members: string): string {
  return record(`"body":{${members}}`).slice(`{"body":`.length, -1);
}

function errorOf(signal: Signal, text: string | Uint8Array): WireError {
  try {
    canonical(signal, text);
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
  throw new Error("the request was accepted");
}

function recordError(members: string): string {
  const { message } = errorOf("logs", `${RECORD_START}{${members}}${RECORD_END}`);
  return message.replace(/ \(at byte \d+\)$/, "");
}

describe("integers", () => {
  test.each([
    ["9007199254740993", "9007199254740993"],
    [`"9007199254740993"`, "9007199254740993"],
    ["-9223372036854775808", "-9223372036854775808"],
    [`"9223372036854775807"`, "9223372036854775807"],
    ["0", "0"],
    ["-0", "0"],
    ["1.0", "1"],
    ["1e3", "1000"],
    [`"1.5e1"`, "15"],
    ["9223372036854775807.000", "9223372036854775807"],
    ["12e-0", "12"],
    ["0e99999999999999999999", "0"],
    [`"\\u0034\\u0032"`, "42"],
  ])("an intValue of %s is %s, not rounded (OTLP-017)", (written, read) => {
    expect(value(`"intValue":${written}`)).toBe(`{"intValue":"${read}"}`);
  });

  test.each([
    "1.5",
    "1e+21",
    "9223372036854775808",
    "-9223372036854775809",
    "1e-1",
    "1e99999999999999999999",
    `"1.5"`,
    `""`,
    `"-"`,
    `"+1"`,
    `" 1"`,
    `"0x10"`,
    `"1_000"`,
    `"NaN"`,
    `"1${"0".repeat(200)}e-200"`,
  ])("an intValue of %s is refused (OTLP-017)", (written) => {
    expect(recordError(`"body":{"intValue":${written}}`)).toMatch(
      /\.body\.intValue: .* is not a 64-bit integer$/,
    );
  });

  test("the error names the path, the value and what it should be (OTLP-011)", () => {
    const text = `${RECORD_START}{},{},{},{"timeUnixNano": 1.5}${RECORD_END}`;
    const error = errorOf("logs", text);
    expect(error.message).toBe(
      `resourceLogs[0].scopeLogs[0].logRecords[3].timeUnixNano: ` +
        `1.5 is not an unsigned 64-bit integer (at byte ${text.indexOf("1.5")})`,
    );
    expect(error.offset).toBe(text.indexOf("1.5"));
  });

  test("a time takes all of the unsigned 64 bits, and not one more", () => {
    expect(record(`"timeUnixNano":18446744073709551615`)).toBe(
      `{"timeUnixNano":"18446744073709551615"}`,
    );
    expect(recordError(`"timeUnixNano":"18446744073709551616"`)).toContain("unsigned 64-bit");
    expect(recordError(`"timeUnixNano":-1`)).toContain("unsigned 64-bit");
  });

  test("32-bit fields are taken as strings too and held to 32 bits (OTLP-016)", () => {
    expect(record(`"flags":"4294967295","droppedAttributesCount":"7"`)).toBe(
      `{"droppedAttributesCount":7,"flags":4294967295}`,
    );
    expect(recordError(`"flags":4294967296`)).toContain("is not an unsigned 32-bit integer");
    expect(recordError(`"droppedAttributesCount":-1`)).toContain("unsigned 32-bit");
  });

  test("a number that starts with 0 is named as the mistake it is", () => {
    expect(recordError(`"flags":01`)).toBe(`${PATH}.flags: a number must not start with 0`);
  });

  test("a value of another type is refused, and shown", () => {
    expect(recordError(`"body":{"intValue":true}`)).toBe(
      `${PATH}.body.intValue: a 64-bit integer should stand here, not true`,
    );
    expect(recordError(`"timeUnixNano":[1]`)).toContain("should stand here, not [1");
  });
});

describe("doubles", () => {
  test.each([
    ["637.704", "637.704"],
    ["-0.0", "-0"],
    ["0", "0"],
    [`"2.5"`, "2.5"],
    ["1e-7", "1e-7"],
    ["0.1234567890123456789", "0.12345678901234568"],
    ["123456789012345678901234567890", "1.2345678901234568e+29"],
    ["9007199254740993", "9007199254740992"],
    [`"NaN"`, `"NaN"`],
    [`"Infinity"`, `"Infinity"`],
    [`"-Infinity"`, `"-Infinity"`],
  ])("a doubleValue of %s is %s (OTLP-016)", (written, read) => {
    expect(value(`"doubleValue":${written}`)).toBe(`{"doubleValue":${read}}`);
  });

  test.each([`"nan"`, `"+Infinity"`, `""`, `"1."`, `".5"`, `"0x1"`, "1e999", `"1 "`])(
    "a doubleValue of %s is refused",
    (written) => {
      expect(recordError(`"body":{"doubleValue":${written}}`)).toContain("body.doubleValue: ");
    },
  );

  test("bare NaN is no JSON", () => {
    expect(recordError(`"body":{"doubleValue":NaN}`)).toContain("should stand here, not NaN");
  });
});

describe("ids and bytes", () => {
  test("ids are hex of any case, written in lower case (OTLP-015, OTLP-018)", () => {
    expect(record(`"traceId":"5B8EFFF798038103d269b633813fc60C","spanId":"EEE19b7ec3c1b174"`)).toBe(
      `{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}`,
    );
  });

  test("an id of a wrong length keeps the record, an odd number of digits none (OTLP-025)", () => {
    expect(record(`"traceId":"","spanId":"abcd"`)).toBe(`{"spanId":"abcd"}`);
    expect(record(`"traceId":"${"a".repeat(31)}"`)).toBe("{}");
    // Cut in half it would be a valid id that nobody sent.
    expect(record(`"traceId":"${"a".repeat(33)}"`)).toBe("{}");
  });

  test.each(["zz", "5b8efff798038103d269b633813fc60g", "0x12", "é0", "abx"])(
    "an id of %s is refused (OTLP-015)",
    (id) => {
      expect(recordError(`"traceId":"${id}"`)).toBe(`${PATH}.traceId: "${id}" is not hex`);
    },
  );

  test.each([
    ["+/+/", "+/+/"],
    ["-_-_", "+/+/"],
    ["\\/w==", "/w=="],
    ["_w", "/w=="],
    ["AQID", "AQID"],
    ["", ""],
  ])("bytesValue %s reads as base64 %s (OTLP-015)", (written, read) => {
    expect(value(`"bytesValue":"${written}"`)).toBe(`{"bytesValue":"${read}"}`);
  });

  test.each(["A", "AAAAA", "A=", "A===", "====", "AQ=A", "A Q=", "é"])(
    "bytesValue %s is refused",
    (written) => {
      expect(recordError(`"body":{"bytesValue":"${written}"}`)).toContain("is not base64");
    },
  );
});

describe("enums", () => {
  test("a number or a name of the enumeration is taken (OTLP-015, OTLP-016)", () => {
    expect(record(`"severityNumber":17`)).toBe(`{"severityNumber":17}`);
    expect(record(`"severityNumber":"17"`)).toBe(`{"severityNumber":17}`);
    expect(record(`"severityNumber":"SEVERITY_NUMBER_FATAL4"`)).toBe(`{"severityNumber":24}`);
    expect(record(`"severityNumber":"SEVERITY_NUMBER_UNSPECIFIED"`)).toBe("{}");
    expect(record(`"severityNumber":-1`)).toBe(`{"severityNumber":-1}`);
  });

  test("an unknown name is refused", () => {
    expect(recordError(`"severityNumber":"SPAN_KIND_SERVER"`)).toContain(
      `"SPAN_KIND_SERVER" is not a number or name of this enumeration`,
    );
    expect(recordError(`"severityNumber":"error"`)).toContain("is not");
    expect(recordError(`"severityNumber":2147483648`)).toContain("is not");
  });
});

describe("strings", () => {
  test.each([
    [`"\\"\\\\\\/\\b\\f\\n\\r\\t"`, '"\\/\b\f\n\r\t'],
    [`"\\u00e9\\u20ac\\u0041\\u0000"`, "é€A\0"],
    [`"\\ud83d\\ude00"`, "😀"],
    [`"é€😀"`, "é€😀"],
    [`"\\ud83d"`, "\ufffd"],
    [`"\\ud83d\\ud83d\\ude00"`, "\ufffd😀"],
    [`"\\ude00x"`, "\ufffdx"],
    [`"\\ud83d\\n"`, "\ufffd\n"],
    [`"\\ud83d\\u0041"`, "\ufffdA"],
  ])("%s is read with its escapes resolved", (written, read) => {
    expect(JSON.parse(value(`"stringValue":${written}`))).toEqual({ stringValue: read });
  });

  test("a long text with escapes keeps every character", () => {
    const text = `${"line\n".repeat(5000)}"end"`;
    expect(JSON.parse(value(`"stringValue":${JSON.stringify(text)}`))).toEqual({
      stringValue: text,
    });
  });

  test.each([`"\\x"`, `"\\u12"`, `"\\u12g4"`, `"\n"`, `"open`, `"\\`, `'a'`, "a", "1", "{}"])(
    "%s is refused",
    (written) => {
      expect(recordError(`"body":{"stringValue":${written}`)).toMatch(/body\.stringValue: /);
    },
  );

  test("bytes that are not UTF-8 are refused at their place", () => {
    const body = Buffer.from(`{"x":"é\ufffd?"}`);
    body[body.indexOf("?")] = 0xff;
    const error = errorOf("logs", body);
    expect(error.message).toBe("the text is not valid UTF-8 (at byte 11)");
    expect(error.offset).toBe(11);
  });
});

describe("keys", () => {
  test("snake_case and escaped keys are taken (OTLP-016)", () => {
    expect(record(`"severity_text":"a","observed_time_unix_nano":1,"\\u0066lags":1`)).toBe(
      `{"observedTimeUnixNano":"1","severityText":"a","flags":1}`,
    );
  });

  test("unknown keys are passed over at every depth (OTLP-015)", () => {
    const unknown = `"futur":{"a":[1,"x",{"b":null}],"c":true,"d":-1.5e9}`;
    const text = canonical(
      "logs",
      `{${unknown},"resourceLogs":[{${unknown},"resource":{${unknown}},"scopeLogs":[{"scope":` +
        `{${unknown}},"logRecords":[{"body":{${unknown},"arrayValue":{"values":[{${unknown}}]}}}]}]}]}`,
    );
    expect(text).toBe(
      `{"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":{},"logRecords":` +
        `[{"body":{"arrayValue":{"values":[{}]}}}]}]}]}`,
    );
  });

  test("what is passed over must be JSON too", () => {
    for (const bad of [
      "[1,]",
      "{,}",
      "{1:2}",
      "tru",
      "01",
      "-",
      "1.",
      "1e",
      '"\\q"',
      "[1 2]",
      "[",
    ]) {
      expect(() => canonical("logs", `{"unknown":${bad}}`), bad).toThrow(WireError);
    }
  });

  test("__proto__ is a key like any other", () => {
    const text = value(
      `"__proto__":{"intValue":1},"kvlistValue":{"values":[{"key":"__proto__","value":{"boolValue":true}}]}`,
    );
    expect(text).toBe(
      `{"kvlistValue":{"values":[{"key":"__proto__","value":{"boolValue":true}}]}}`,
    );
    expect(Object.prototype).not.toHaveProperty("intValue");
  });

  test("null is absent, and as an element of a list an empty one", () => {
    expect(record(`"timeUnixNano":null,"body":null,"attributes":null,"traceId":null`)).toBe("{}");
    expect(value(`"stringValue":null,"intValue":"1"`)).toBe(`{"intValue":"1"}`);
    expect(value(`"arrayValue":{"values":[null,{"intValue":1}]}`)).toBe(
      `{"arrayValue":{"values":[{},{"intValue":"1"}]}}`,
    );
    const point = `"bucketCounts":["1",null],"explicitBounds":[null,2.5]`;
    expect(canonical("metrics", histogram(point))).toBe(
      histogram(`"bucketCounts":["1","0"],"explicitBounds":[0,2.5]`),
    );
  });

  test("an empty list of numbers writes nothing", () => {
    const empty = otlpJsonToProtobuf("metrics", Buffer.from(histogram(`"bucketCounts":[]`)));
    expect(empty).toEqual(otlpJsonToProtobuf("metrics", Buffer.from(histogram(""))));
  });

  test("a field given twice is refused, in either spelling", () => {
    expect(recordError(`"severityText":"a","severityText":"a"`)).toBe(
      `${PATH}.severityText: the field is given twice`,
    );
    expect(recordError(`"severityText":"a","severity_text":"b"`)).toContain("given twice");
    expect(recordError(`"attributes":[],"attributes":[]`)).toContain("given twice");
  });

  test("two members of one oneof are refused", () => {
    expect(recordError(`"body":{"stringValue":"1","intValue":1}`)).toBe(
      `${PATH}.body.intValue: a second value is given where only one may be`,
    );
  });
});

function histogram(members: string): string {
  return `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{${members}}]}}]}]}]}`;
}

describe("the text as a whole", () => {
  test("an empty request is an empty request (OTLP-009)", () => {
    expect(otlpJsonToProtobuf("logs", Buffer.from(" {} \r\n"))).toHaveLength(0);
    expect(otlpJsonToProtobuf("traces", Buffer.from(`{"resourceSpans":[]}`))).toHaveLength(0);
  });

  test.each(["", " ", "null", "[]", "{", "{}x", "{}{}", `{"a"}`, `{"a":}`, `{"a":1,}`, "\ufeff{}"])(
    "%j is refused",
    (text) => {
      expect(() => canonical("logs", text)).toThrow(WireError);
    },
  );

  test("an object where a list belongs, and the other way about, is refused", () => {
    expect(() => canonical("logs", `{"resourceLogs":{}}`)).toThrow(
      "a list should stand here, not {",
    );
    expect(() => canonical("logs", `{"resourceLogs":[[]]}`)).toThrow(
      "resourceLogs[0]: an object should stand here, not [",
    );
  });

  test("values nest as deep as the store takes and far beyond, but not without end (SEC-005)", () => {
    const nested = (levels: number) =>
      value(`${`"arrayValue":{"values":[{`.repeat(levels)}${`}]}`.repeat(levels)}`);
    expect(nested(80)).toContain(`{"values":[{}]}`);
    expect(() => nested(90)).toThrow(`deeper than ${JSON_DEPTH_MAX} levels`);
  });

  test("a million open brackets are refused without exhausting the stack (SEC-005)", () => {
    expect(() => canonical("logs", `{"x":${"[".repeat(1_000_000)}`)).toThrow("nested deeper");
    expect(() => canonical("logs", `{"x":${`{"a":`.repeat(200_000)}`)).toThrow("nested deeper");
  });

  test("a long path is shown by both its ends", () => {
    const deep = `"arrayValue":{"values":[{`.repeat(60);
    const { message } = errorOf("logs", `${RECORD_START}{"body":{${deep}"intValue":x`);
    expect(message).toMatch(/^resourceLogs\[0\]\..*\.\.\..*\.intValue: /);
    expect(message.length).toBeLessThan(400);
  });

  test("a request that grows past the limit as protobuf is refused (OTLP-006)", () => {
    const zeros = Buffer.alloc(17 * 1024 * 1024, "0,");
    const start = Buffer.from(histogram(`"bucketCounts":[`).split("}")[0] ?? "");
    const body = Buffer.concat([start, zeros, Buffer.from("0")]);
    expect(() => otlpJsonToProtobuf("metrics", body)).toThrow("larger than 67108864 bytes");
  });

  test("a view into a larger buffer is read from its own start", () => {
    const larger = Buffer.from(`xx{"resourceLogs":[{"schemaUrl":"a"}]}yy`);
    const view = new Uint8Array(larger.buffer, larger.byteOffset + 2, larger.length - 4);
    expect(canonical("logs", view)).toBe(`{"resourceLogs":[{"schemaUrl":"a"}]}`);
  });
});
