import { describe, expect, test } from "vitest";
import type { FieldRef, FieldTest, Filter } from "../../src/core/filter.ts";
import { parseFilter } from "../../src/query/parse-filter.ts";
import { expectSyntaxError } from "./syntax-failure.ts";

function word(
  text: string,
  parts: { anyCase?: boolean; startsAtWord?: boolean; endsAtWord?: boolean } = {},
): Filter {
  const { anyCase = true, startsAtWord = true, endsAtWord = true } = parts;
  return { kind: "text", match: { kind: "literal", text, anyCase, startsAtWord, endsAtWord } };
}

function regex(source: string, anyCase = false): Filter {
  return { kind: "text", match: { kind: "regex", source, anyCase } };
}

function field(ref: FieldRef | string, of: FieldTest): Filter {
  const target: FieldRef = typeof ref === "string" ? { target: "any", key: ref } : ref;
  return { kind: "field", field: target, test: of };
}

function equals(ref: FieldRef | string, text: string, anyCase = true): Filter {
  return field(ref, { op: "equals", text, anyCase });
}

function compare(ref: string, comparison: "<" | "<=" | ">" | ">=", value: number): Filter {
  return field(ref, { op: "compare", comparison, value });
}

const and = (...of: readonly Filter[]): Filter => ({ kind: "and", of });
const or = (...of: readonly Filter[]): Filter => ({ kind: "or", of });
const not = (of: Filter): Filter => ({ kind: "not", of });
const level = (min: number, max: number): Filter => ({ kind: "severity", min, max });
const ALL: Filter = { kind: "all" };

function rejects(query: string, position: number, says: string | RegExp): void {
  expectSyntaxError(() => parseFilter(query), { position, says });
}

describe("free text", () => {
  test.each<[string, Filter]>([
    ["", ALL],
    ["  \n ", ALL],
    ["*", ALL],
    ["timeout", word("timeout")],
    ["conn*", word("conn", { endsAtWord: false })],
    ["*tion", word("tion", { startsAtWord: false })],
    ["*nnec*", word("nnec", { startsAtWord: false, endsAtWord: false })],
    ['"connection timeout"', word("connection timeout")],
    ["'Connection'", word("Connection", { anyCase: false })],
    ["*'Tion'*", word("Tion", { anyCase: false, startsAtWord: false, endsAtWord: false })],
    ['"[INFO] x"', word("[INFO] x", { startsAtWord: false })],
    [String.raw`"a\"b\\c\n\t\'"`, word("a\"b\\c\n\t'", { endsAtWord: false })],
    ["connection-timeout", word("connection-timeout")],
    ["10.0.0.1", word("10.0.0.1")],
    ["10.0.*", word("10.0.", { endsAtWord: false })],
    ["12:34:56", word("12:34:56")],
    ["don't", word("don't")],
    ["dora_daemon::coordinator", word("dora_daemon::coordinator")],
    ["größe", word("größe")],
    ["and", word("and")],
    ["ANDROID", word("ANDROID")],
    ["/ab+c/", regex("ab+c")],
    ["/ab+c/i", regex("ab+c", true)],
    [String.raw`/a\/b\d\\/`, regex(String.raw`a/b\d\\`)],
  ])("%s", (query, filter) => {
    expect(parseFilter(query)).toEqual(filter);
  });

  test.each<[string, number, string | RegExp]>([
    ["conn*ion", 4, "/conn.*ion/i"],
    ["a.b*c", 3, String.raw`/a\.b.*c/i`],
    ['""', 0, "an empty text matches nothing"],
    ['foo"bar"', 3, "a space between two terms"],
    ['a "b', 2, "this quote is never closed"],
    [String.raw`"a\d"`, 2, "means nothing in quotes"],
    ["/dev/video0", 5, 'write "/dev/video0" in quotes'],
    ["/dev", 0, 'no closing "/"'],
    ["a //", 2, "an empty regular expression"],
    ["/a(b/", 1, "missing closing )"],
    ["/a(?=b)/", 2, "lookaround"],
    [String.raw`/(a)\1/`, 4, "invalid escape sequence"],
    [`/${"a".repeat(1001)}/`, 0, "1000 allowed"],
    [`${"/a/ ".repeat(16)}/b/`, 64, "16 regular expressions"],
    [":8080", 0, "a field's name is missing"],
    ["a && b", 2, "AND"],
  ])("%s is refused (SEC-013)", rejects);
});

describe("AND, OR, NOT and parentheses", () => {
  const [a, b, c] = [word("a"), word("b"), word("c")];

  test.each<[string, Filter]>([
    ["a b", and(a, b)],
    ["a AND b", and(a, b)],
    ["a OR b", or(a, b)],
    ["a b OR c", or(and(a, b), c)],
    ["a AND (b OR c)", and(a, or(b, c))],
    ["a (b c)", and(a, b, c)],
    ["NOT a", not(a)],
    ["-a", not(a)],
    ["!a", not(a)],
    ["NOT a b", and(not(a), b)],
    ["-(a OR b)", not(or(a, b))],
    ["NOT NOT a", a],
    ["a -b", and(a, not(b))],
    ["-level:error", not(level(17, 20))],
    ["a *", a],
    ["a OR *", ALL],
    ["NOT *", { kind: "none" }],
    ["a NOT *", { kind: "none" }],
    ["a OR NOT *", a],
    ["NOT(a)", not(a)],
    ["((a))", a],
  ])("%s", (query, filter) => {
    expect(parseFilter(query)).toEqual(filter);
  });

  test.each<[string, number, string | RegExp]>([
    ["a OR", 4, "a term is missing here"],
    ["OR a", 0, 'a term is missing before "OR"'],
    ["a AND AND b", 6, 'a term is missing before "AND"'],
    ["NOT", 3, "a term is missing here"],
    ["(a", 0, 'this "(" is never closed'],
    ["a)", 1, 'this ")" closes nothing'],
    ["a ()", 2, "nothing in these parentheses"],
    ["a - b", 2, 'put "-" right before'],
    ["--a", 1, "in quotes"],
    ["a | count", 2, "no pipes"],
  ])("%s is refused", rejects);

  test("64 levels of nesting are read, 65 are refused (SEC-015)", () => {
    expect(parseFilter(`${"(".repeat(64)}a${")".repeat(64)}`)).toEqual(a);
    rejects(`${"(".repeat(65)}a${")".repeat(65)}`, 65, "nested more than 64 deep");
    rejects(`${"NOT ".repeat(65)}a`, 260, "nested more than 64 deep");
    rejects(`${"-(".repeat(40)}a${")".repeat(40)}`, 65, "nested more than 64 deep");
    rejects(`x:${"(".repeat(65)}a`, 67, "nested more than 64 deep");
    rejects(`x:(${"NOT ".repeat(64)}a)`, 258, "nested more than 64 deep");
  });

  test("8 KiB of query are read, one byte more is refused (SEC-015)", () => {
    expect(parseFilter("a".repeat(8192))).toEqual(word("a".repeat(8192)));
    rejects("a".repeat(8193), 0, "8193 bytes, more than the 8192 allowed");
    rejects("ä".repeat(4097), 0, "8194 bytes");
  });
});

describe("fields", () => {
  const node: FieldRef = { target: "node" };
  const message: FieldRef = { target: "message" };

  test.each<[string, Filter]>([
    ["code:5", equals("code", "5")],
    ["code : 5", equals("code", "5")],
    ['code:"a b"', equals("code", "a b")],
    ['code:""', equals("code", "")],
    ["code:'A b'", equals("code", "A b", false)],
    ["code=A", equals("code", "A", false)],
    ['code = "A*"', equals("code", "A*", false)],
    ["code!=A", not(equals("code", "A", false))],
    ["code:*", field("code", { op: "exists" })],
    ["code:**", field("code", { op: "exists" })],
    ["code:a*b", field("code", { op: "glob", pattern: "a*b", anyCase: true })],
    ["code:a**", field("code", { op: "glob", pattern: "a*", anyCase: true })],
    ['node:"Node "*', field(node, { op: "glob", pattern: "Node *", anyCase: true })],
    ["node:'Node'*", field(node, { op: "glob", pattern: "Node*", anyCase: false })],
    ["url:http://x:80/a,b", equals("url", "http://x:80/a,b")],
    ["node:camera", equals(node, "camera")],
    ["dataflow:d", equals({ target: "dataflow" }, "d")],
    ["event:e", equals({ target: "event" }, "e")],
    ["event_name:e", equals({ target: "event" }, "e")],
    ["logger:l", equals({ target: "logger" }, "l")],
    ["scope:l", equals({ target: "logger" }, "l")],
    ["attributes.level:x", equals({ target: "attribute", key: "level" }, "x")],
    ["resource.service.name:x", equals({ target: "resource", key: "service.name" }, "x")],
    ['attributes."odd key":x', equals({ target: "attribute", key: "odd key" }, "x")],
    ['"odd key":x', equals("odd key", "x")],
    ['"level":x', equals("level", "x")],
    ["k8s.pod/name-1:x", equals("k8s.pod/name-1", "x")],
    [
      "code:/a b/i",
      field("code", {
        op: "contains",
        match: { kind: "regex", source: "a b", anyCase: true },
      }),
    ],
    [
      "msg:conn*",
      field(message, {
        op: "contains",
        match: {
          kind: "literal",
          text: "conn",
          anyCase: true,
          startsAtWord: true,
          endsAtWord: false,
        },
      }),
    ],
    ["body:*", field(message, { op: "exists" })],
    ["message=X", equals(message, "X", false)],
    ["code:(a OR b)", or(equals("code", "a"), equals("code", "b"))],
    ["code:( a AND NOT b )", and(equals("code", "a"), not(equals("code", "b")))],
    [
      'code:("c d" OR (>5 AND <=7))',
      or(equals("code", "c d"), and(compare("code", ">", 5), compare("code", "<=", 7))),
    ],
    ["code:(-5)", equals("code", "-5")],
    ["a:1 b:2", and(equals("a", "1"), equals("b", "2"))],
  ])("%s", (query, filter) => {
    expect(parseFilter(query)).toEqual(filter);
  });

  test.each<[string, Filter]>([
    ["ms>5", compare("ms", ">", 5)],
    ["ms >= 5", compare("ms", ">=", 5)],
    ["ms:>5", compare("ms", ">", 5)],
    ["ms: <= -1.5e3", compare("ms", "<=", -1500)],
    ["ms<.5", compare("ms", "<", 0.5)],
    ["ms>-0", compare("ms", ">", 0)],
    ["ms:[10 TO 50]", and(compare("ms", ">=", 10), compare("ms", "<=", 50))],
    ["ms:{10 TO 50}", and(compare("ms", ">", 10), compare("ms", "<", 50))],
    ["ms:[10 TO 50}", and(compare("ms", ">=", 10), compare("ms", "<", 50))],
    ["ms:[* TO 50]", compare("ms", "<=", 50)],
    ["ms:[ 10 TO * ]", compare("ms", ">=", 10)],
    ["ms:[* TO *]", field("ms", { op: "exists" })],
  ])("numbers: %s", (query, filter) => {
    expect(parseFilter(query)).toEqual(filter);
  });

  test.each<[string, number, string | RegExp]>([
    ["code:", 5, "a value is missing"],
    ["code: )", 6, "a value is missing"],
    ["code=a*", 6, "code:a*"],
    ["code=(a OR b)", 5, "takes one value"],
    ['code:"a*"*', 5, "regular expression"],
    ["code:(a b)", 8, "write OR"],
    ["code:(a, b)", 7, "write OR"],
    ["code:(a OR)", 10, "a value is missing"],
    ["code:(OR a)", 6, 'before "OR"'],
    ["code:(a", 5, "never closed"],
    ["ms>5ms", 3, 'without "ms", as in ms>5'],
    ["ms>fast", 3, "is compared with a number"],
    ["levl>=warn", 6, 'did you mean "level"?'],
    ["ms>1e999", 3, "too large"],
    ["ms:[10, 50]", 7, "a range is"],
    ["ms:[10 TO 50", 12, "a range is"],
    ["ms:[a TO 5]", 4, "is compared with a number"],
    ["time>5", 0, "--since"],
    ["timestamp:2025", 0, "--since"],
    ["severity_text:x", 0, "use level"],
    ["seq:5", 0, "in quotes"],
    ["_exists_:x", 0, "FIELD:*"],
    ["attributes.:x", 11, "lacks the key"],
    ['"":x', 0, "an empty text"],
    ["url:http://x url://y", 17, "quote it"],
    ["message:co*on", 10, "/co.*on/i"],
  ])("%s is refused", rejects);
});

describe("level", () => {
  test.each<[string, Filter]>([
    ["level:error", level(17, 20)],
    ["severity:ERROR", level(17, 20)],
    ['lvl:"warning"', level(13, 16)],
    ["level=error", level(17, 20)],
    ["level!=error", not(level(17, 20))],
    ["level>=warn", level(13, 24)],
    ["level>warn", level(17, 24)],
    ["level<=warn", level(1, 16)],
    ["level<warn", level(1, 12)],
    ["level>=17", level(17, 24)],
    ["level:18", level(18, 18)],
    ["severity_number<5", level(1, 4)],
    ["level:unspecified", level(0, 0)],
    ["level:0", level(0, 0)],
    ["level:*", level(1, 24)],
    ["level:[warn TO error]", level(13, 20)],
    ["level:{warn TO fatal}", level(17, 20)],
    ["level:[* TO info]", level(1, 12)],
    ["level:(error OR fatal)", or(level(17, 20), level(21, 24))],
    ["level:(>=error OR unspecified)", or(level(17, 24), level(0, 0))],
  ])("%s (LOG-001)", (query, filter) => {
    expect(parseFilter(query)).toEqual(filter);
  });

  test.each<[string, number, string | RegExp]>([
    ["level:eror", 6, 'did you mean "error"?'],
    ["level:25", 6, "a number from 1 to 24"],
    ["level>fatal", 6, "no level lies there"],
    ["level<trace", 6, "no level lies there"],
    ["level:[error TO warn]", 7, "no level lies there"],
    ["level>=unspecified", 7, "level:unspecified"],
    ["level:err*", 9, "takes no *"],
    ["level:/err/", 6, "no text"],
  ])("%s is refused", rejects);
});

describe("ids", () => {
  const id = "4bf92f3577b34da6a3ce929d0e0e4736";
  const trace: FieldRef = { target: "trace_id" };

  test.each<[string, Filter]>([
    [`trace_id:${id.toUpperCase()}`, equals(trace, id, false)],
    [`trace_id="${id}"`, equals(trace, id, false)],
    ["trace_id:4BF9*", field(trace, { op: "glob", pattern: "4bf9*", anyCase: false })],
    ["trace_id:*", field(trace, { op: "exists" })],
    ["span_id:00f067aa0ba902b7", equals({ target: "span_id" }, "00f067aa0ba902b7", false)],
  ])("%s", (query, filter) => {
    expect(parseFilter(query)).toEqual(filter);
  });

  test.each<[string, number, string | RegExp]>([
    ["trace_id:4bf9", 9, "32 hexadecimal digits"],
    ["trace_id:xyz*", 9, "hexadecimal"],
    [`span_id:${id}`, 8, "16 hexadecimal digits"],
    ["trace_id>5", 9, "hexadecimal"],
    ["trace_id:/4b/", 9, "hexadecimal"],
  ])("%s is refused", rejects);
});

describe("errors", () => {
  test("the message shows the query with a caret under the character", () => {
    expect(() => parseFilter("level:error ms>5ms")).toThrow(/\n {2}level:error ms>5ms\n {17}\^$/);
  });

  test("a long query is cut around the character, and control characters are blanked (SEC-009)", () => {
    const query = `${"x ".repeat(200)}\u001b[2J \n:y ${"z ".repeat(200)}`;
    try {
      parseFilter(query);
      expect.fail("no error");
    } catch (error) {
      const [, shown = "", caret = ""] = String(error).split("\n");
      expect(shown.length).toBeLessThan(90);
      expect(shown).not.toMatch(/\p{Cc}/u);
      expect(shown[caret.indexOf("^")]).toBe(":");
    }
  });
});
