import * as fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import { WIRE_VARINT } from "../../src/wire/protobuf-reader.ts";
import { highWord, lowWord, ProtobufWriter } from "../../src/wire/protobuf-writer.ts";
import { WireError } from "../../src/wire/wire-error.ts";

function written(write: (writer: ProtobufWriter) => void): string {
  const writer = new ProtobufWriter({ initialBytes: 1 });
  write(writer);
  return Buffer.from(writer.finish()).toString("hex");
}

describe("the protobuf writer", () => {
  test.each([
    [0n, "00"],
    [127n, "7f"],
    [128n, "8001"],
    [16384n, "808001"],
    [2n ** 32n - 1n, "ffffffff0f"],
    [2n ** 32n, "8080808010"],
    [2n ** 63n, "80808080808080808001"],
    [-1n, "ffffffffffffffffff01"],
  ])("the varint of %s has these bytes", (value, bytes) => {
    expect(written((writer) => writer.varint64(lowWord(value), highWord(value)))).toBe(bytes);
  });

  test("every varint is what protobufjs writes", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        const reference = protobuf.Writer.create().uint64(String(value));
        expect(written((writer) => writer.varint64(lowWord(value), highWord(value)))).toBe(
          Buffer.from(reference.finish()).toString("hex"),
        );
      }),
      { seed: 1 },
    );
  });

  test("fixed widths are little-endian", () => {
    expect(written((writer) => writer.fixed32(0x01020304))).toBe("04030201");
    expect(written((writer) => writer.fixed64Field(1, 0x0102030405060708n))).toBe(
      "090807060504030201",
    );
    expect(written((writer) => writer.double(-2.5))).toBe("00000000000004c0");
  });

  test.each([0, 1, 127, 128, 16383, 16384, 2097151, 2097152])(
    "a message of %i bytes gets the shortest length, and its content stays whole",
    (size) => {
      const content = Buffer.alloc(size, "abc");
      const writer = new ProtobufWriter({ initialBytes: 1 });
      const outer = writer.beginField(1);
      writer.bytesField(2, content);
      writer.end(outer);
      const reference = protobuf.Writer.create();
      const inner = protobuf.Writer.create();
      if (size > 0) inner.uint32(0x12).bytes(content);
      const expected = reference.uint32(0x0a).bytes(inner.finish()).finish();
      expect(Buffer.compare(writer.finish(), expected)).toBe(0);
    },
  );

  test("text is UTF-8 behind its length in bytes, a lone surrogate U+FFFD", () => {
    expect(written((writer) => writer.textField(1, "é"))).toBe("0a02c3a9");
    expect(written((writer) => writer.textField(1, "\ud83d"))).toBe("0a03efbfbd");
    const long = "€".repeat(100);
    expect(written((writer) => writer.lengthAndText(long))).toBe(
      `ac02${Buffer.from(long).toString("hex")}`,
    );
  });

  test("zero values of plain fields write nothing", () => {
    const bytes = written((writer) => {
      writer.textField(1, "");
      writer.bytesField(2, new Uint8Array(0));
      writer.uint32Field(3, 0);
      writer.fixed32Field(4, 0);
      writer.fixed64Field(5, 0n);
    });
    expect(bytes).toBe("");
  });

  test("it writes up to its limit, and throws past it (OTLP-006)", () => {
    const writer = new ProtobufWriter({ initialBytes: 4, bytesMax: 10 });
    writer.bytesField(1, Buffer.alloc(8));
    expect(writer.finish()).toHaveLength(10);
    expect(() => writer.tag(1, WIRE_VARINT)).toThrow(WireError);
  });

  test("what it gave away does not change when it goes on", () => {
    const writer = new ProtobufWriter();
    writer.textField(1, "a");
    const first = writer.finish();
    writer.position = 0;
    writer.textField(1, "b");
    expect(Buffer.from(first).toString("latin1")).toBe("\n\u0001a");
  });
});
