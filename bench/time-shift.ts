import { ProtobufReader, WIRE_FIXED64, WIRE_LENGTH } from "../src/wire/protobuf-reader.ts";

/** From a request to its records: resource_logs, scope_logs, log_records. */
const RECORD_PATH = [1, 2, 2];
const TIME_FIELDS = new Set([1, 11]);

/** Gives each record of an `ExportLogsServiceRequest` another time, in place. */
export function changeTimes(body: Uint8Array, change: (timeUnixNs: bigint) => bigint): void {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const reader = new ProtobufReader();
  reader.reset(body);
  const walk = (depth: number, end: number): void => {
    while (reader.position < end) {
      const tag = reader.readTag(end);
      const field = tag >>> 3;
      if (depth === RECORD_PATH.length && TIME_FIELDS.has(field) && (tag & 7) === WIRE_FIXED64) {
        const offset = reader.position;
        view.setBigUint64(offset, change(view.getBigUint64(offset, true)), true);
        reader.skip(tag, end);
      } else if (field === RECORD_PATH[depth] && (tag & 7) === WIRE_LENGTH) {
        walk(depth + 1, reader.readLength(end));
      } else {
        reader.skip(tag, end);
      }
    }
  };
  walk(0, body.length);
}
