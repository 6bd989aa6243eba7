/**
 * Writes OTLP log requests in protobuf, from the back to the front: when a message's fields are
 * there, its length is known, so nothing is measured first or moved after.
 *
 * The benchmarks and the fault client have this encoder of their own, so that a mistake in the
 * product's wire code cannot hide itself.
 *
 * Source: opentelemetry/proto/logs/v1/logs.proto and common.proto.
 */
export interface OtlpLog {
  readonly timeUnixNs: bigint;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: string;
  readonly attributes: readonly Attribute[];
  /** Hex, "" for none. */
  readonly traceId: string;
  readonly spanId: string;
}

export type Attribute = readonly [key: string, value: string | number | boolean];

export interface OtlpLogGroup {
  readonly resource: readonly Attribute[];
  readonly scopeName: string;
  readonly logs: readonly OtlpLog[];
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
const START_BYTES = 1024 * 1024;

export class OtlpLogWriter {
  #buffer = Buffer.allocUnsafe(START_BYTES);
  /** First byte written; everything from here to the end is the message. */
  #start = START_BYTES;

  /** One `ExportLogsServiceRequest`; the bytes are the caller's own. */
  encodeRequest(groups: readonly OtlpLogGroup[]): Uint8Array {
    this.#start = this.#buffer.length;
    for (const group of groups.toReversed()) {
      const end = this.#mark();
      const scopeEnd = this.#mark();
      for (const log of group.logs.toReversed()) this.#log(log, group.resource);
      const nameEnd = this.#mark();
      this.#string(1, group.scopeName);
      this.#close(1, nameEnd);
      this.#close(2, scopeEnd);
      const resourceEnd = this.#mark();
      this.#attributes(1, group.resource);
      this.#close(1, resourceEnd);
      this.#close(1, end);
    }
    return Uint8Array.prototype.slice.call(this.#buffer, this.#start);
  }

  #log(log: OtlpLog, resource: readonly Attribute[]): void {
    // More than any log's fields take; strings are at most three bytes a character.
    this.#reserve(4096 + 3 * log.body.length + 1024 * (log.attributes.length + resource.length));
    const end = this.#mark();
    this.#fixed64(11, log.timeUnixNs + 12_345n);
    if (log.spanId !== "") this.#hex(10, log.spanId);
    if (log.traceId !== "") {
      this.#hex(9, log.traceId);
      this.#fixed32(8, 1);
    }
    this.#attributes(6, log.attributes);
    const bodyEnd = this.#mark();
    this.#string(1, log.body);
    this.#close(5, bodyEnd);
    this.#string(3, log.severityText);
    this.#varint(log.severityNumber);
    this.#varint((2 << 3) | VARINT);
    this.#fixed64(1, log.timeUnixNs);
    this.#close(2, end);
  }

  #attributes(field: number, attributes: readonly Attribute[]): void {
    for (let index = attributes.length - 1; index >= 0; index--) {
      const attribute = attributes[index];
      if (attribute === undefined) continue;
      const end = this.#mark();
      const valueEnd = this.#mark();
      this.#value(attribute[1]);
      this.#close(2, valueEnd);
      this.#string(1, attribute[0]);
      this.#close(field, end);
    }
  }

  #value(value: string | number | boolean): void {
    if (typeof value === "string") {
      this.#string(1, value);
    } else if (typeof value === "boolean") {
      this.#varint(value ? 1 : 0);
      this.#varint((2 << 3) | VARINT);
    } else if (Number.isSafeInteger(value) && value >= 0) {
      this.#varint(value);
      this.#varint((3 << 3) | VARINT);
    } else {
      this.#start -= 8;
      this.#buffer.writeDoubleLE(value, this.#start);
      this.#varint((4 << 3) | FIXED64);
    }
  }

  #mark(): number {
    return this.#buffer.length - this.#start;
  }

  /** Closes the message whose fields were written since `mark`. */
  #close(field: number, mark: number): void {
    this.#varint(this.#buffer.length - this.#start - mark);
    this.#varint((field << 3) | BYTES);
  }

  #string(field: number, text: string): void {
    const size = Buffer.byteLength(text);
    this.#start -= size;
    this.#buffer.write(text, this.#start, size);
    this.#varint(size);
    this.#varint((field << 3) | BYTES);
  }

  #hex(field: number, digits: string): void {
    const size = digits.length / 2;
    this.#start -= size;
    this.#buffer.write(digits, this.#start, size, "hex");
    this.#varint(size);
    this.#varint((field << 3) | BYTES);
  }

  #fixed64(field: number, value: bigint): void {
    this.#start -= 8;
    this.#buffer.writeBigUInt64LE(value, this.#start);
    this.#varint((field << 3) | FIXED64);
  }

  #fixed32(field: number, value: number): void {
    this.#start -= 4;
    this.#buffer.writeUInt32LE(value, this.#start);
    this.#varint((field << 3) | FIXED32);
  }

  #varint(value: number): void {
    let size = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
    this.#start -= size;
    let rest = value;
    for (let index = 0; index < size - 1; index++) {
      this.#buffer[this.#start + index] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#start + size - 1] = rest;
  }

  /** Makes room in front of what is written. */
  #reserve(sizeBytes: number): void {
    if (this.#start >= sizeBytes) return;
    const length = this.#buffer.length - this.#start;
    const larger = Buffer.allocUnsafe(2 * this.#buffer.length + sizeBytes);
    this.#buffer.copy(larger, larger.length - length, this.#start);
    this.#buffer = larger;
    this.#start = larger.length - length;
  }
}
