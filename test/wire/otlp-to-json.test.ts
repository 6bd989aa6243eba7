import { describe, expect, test } from "vitest";
import { otlpProtobufToJson } from "../../src/wire/otlp-to-json.ts";
import { WIRE_FIXED64, WIRE_LENGTH, WIRE_VARINT } from "../../src/wire/protobuf-reader.ts";
import { ProtobufWriter } from "../../src/wire/protobuf-writer.ts";
import { WireError } from "../../src/wire/wire-error.ts";

/** Bytes that `write` writes inside the messages of the fields `path`, outermost first. */
function nested(path: readonly number[], write: (writer: ProtobufWriter) => void): Uint8Array {
  const writer = new ProtobufWriter();
  const marks = path.map((field) => writer.beginField(field));
  write(writer);
  for (const mark of marks.reverse()) writer.end(mark);
  return writer.finish();
}

const RECORD = [1, 2, 2];

function recordText(write: (writer: ProtobufWriter) => void): string {
  const text = otlpProtobufToJson("logs", nested(RECORD, write));
  return text.slice(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[`.length, -`]}]}]}`.length);
}

describe("OTLP protobuf as JSON", () => {
  test("64-bit integers are strings, ids lower-case hex, enums numbers (OTLP-018)", () => {
    const text = recordText((writer) => {
      writer.fixed64Field(1, 2n ** 64n - 1n);
      writer.uint32Field(2, 17);
      writer.bytesField(9, Buffer.from("5B8EFFF798038103D269B633813FC60C", "hex"));
    });
    expect(text).toBe(
      `{"timeUnixNano":"18446744073709551615","severityNumber":17,` +
        `"traceId":"5b8efff798038103d269b633813fc60c"}`,
    );
  });

  test("a zero that was written out is left out, save where being there says something", () => {
    const text = recordText((writer) => {
      writer.tag(1, WIRE_FIXED64);
      writer.fixed64(0, 0);
      writer.tag(3, WIRE_LENGTH);
      writer.lengthAndText("");
      const body = writer.beginField(5);
      writer.tag(3, WIRE_VARINT);
      writer.varint32(0);
      writer.end(body);
    });
    expect(text).toBe(`{"body":{"intValue":"0"}}`);
  });

  test("the last member of a oneof and the last value of a field are kept", () => {
    const text = recordText((writer) => {
      writer.textField(3, "first");
      writer.textField(3, "second");
      const body = writer.beginField(5);
      writer.textField(1, "text");
      writer.tag(2, WIRE_VARINT);
      writer.varint32(1);
      writer.end(body);
    });
    expect(text).toBe(`{"severityText":"second","body":{"boolValue":true}}`);
  });

  test("a message that comes in two parts is one", () => {
    const writer = new ProtobufWriter();
    const group = writer.beginField(1);
    for (const [field, count] of [
      [1, 0],
      [2, 9],
    ] as const) {
      const resource = writer.beginField(1);
      if (field === 1) {
        const attribute = writer.beginField(1);
        writer.textField(1, "k");
        writer.end(attribute);
      }
      writer.uint32Field(2, count);
      writer.end(resource);
    }
    writer.end(group);
    expect(otlpProtobufToJson("logs", writer.finish())).toBe(
      `{"resourceLogs":[{"resource":{"attributes":[{"key":"k"}],"droppedAttributesCount":9}}]}`,
    );
  });

  test("numbers of a list are read packed, one by one and mixed", () => {
    const bytes = nested([1, 2, 2, 9, 1], (writer) => {
      writer.tag(6, WIRE_FIXED64);
      writer.fixed64(1, 0);
      const packed = writer.beginField(6);
      writer.fixed64(2, 0);
      writer.fixed64(3, 0);
      writer.end(packed);
    });
    expect(otlpProtobufToJson("metrics", bytes)).toContain(`"bucketCounts":["1","2","3"]`);
  });

  test("unknown fields, and known ones of another wire type, are passed over", () => {
    const text = recordText((writer) => {
      writer.textField(100, "later");
      writer.uint32Field(3, 5);
      writer.textField(12, "kept");
    });
    expect(text).toBe(`{"eventName":"kept"}`);
  });

  test("deep nesting is refused, not followed down", () => {
    let bytes: Uint8Array = new Uint8Array(0);
    for (let level = 0; level < 400; level++) {
      const inner = bytes;
      bytes = nested([level % 2 === 0 ? 1 : 5], (writer) => {
        writer.reserve(inner.length);
        writer.bytes.set(inner, writer.position);
        writer.position += inner.length;
      });
    }
    const body = nested([...RECORD, 5], (writer) => {
      writer.reserve(bytes.length);
      writer.bytes.set(bytes, writer.position);
      writer.position += bytes.length;
    });
    expect(() => otlpProtobufToJson("logs", body)).toThrow(WireError);
    expect(() => otlpProtobufToJson("logs", body)).toThrow("nested deeper");
  });
});
