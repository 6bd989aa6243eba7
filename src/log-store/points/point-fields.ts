import { ProtobufReader, WIRE_FIXED64, WIRE_LENGTH } from "../../wire/protobuf-reader.ts";

/** Fields of OTLP's `HistogramDataPoint` that are packed fixed64 or double: counts and bounds. */
const BUCKET_COUNTS = (6 << 3) | WIRE_LENGTH;
const EXPLICIT_BOUNDS = (7 << 3) | WIRE_LENGTH;
/** Of `NumberDataPoint`. */
const AS_INT = (6 << 3) | WIRE_FIXED64;

const WORD = 8;

/** Where the numbers of eight bytes stand in a point's `rest`. */
interface WordPlaces {
  readonly offsets: readonly number[];
  /** Which of them is the point's int64 value, or -1. */
  readonly asInt: number;
}

/**
 * Finds the numbers of eight bytes in the fields of a point, by tags and lengths alone. Undefined
 * where they make no sense.
 */
export function wordPlaces(rest: Uint8Array): WordPlaces | undefined {
  const offsets: number[] = [];
  let asInt = -1;
  const reader = new ProtobufReader();
  reader.reset(rest);
  try {
    while (reader.position < rest.length) {
      const tag = reader.readTag(rest.length);
      if ((tag & 7) === WIRE_FIXED64) {
        if (tag === AS_INT) asInt = offsets.length;
        offsets.push(reader.readFixed(WORD, rest.length));
      } else if (tag === BUCKET_COUNTS || tag === EXPLICIT_BOUNDS) {
        const end = reader.readLength(rest.length);
        for (; reader.position + WORD <= end; reader.position += WORD)
          offsets.push(reader.position);
        reader.position = end;
      } else {
        reader.skip(tag, rest.length);
      }
    }
  } catch {
    return undefined;
  }
  return { offsets, asInt };
}
