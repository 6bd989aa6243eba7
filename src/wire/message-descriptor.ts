import { FieldTable } from "./field-table.ts";
import { WIRE_FIXED32, WIRE_FIXED64, WIRE_LENGTH, WIRE_VARINT } from "./protobuf-reader.ts";

/** A field's type in protobuf; `hex` is `bytes` that JSON writes in hex: the ids. */
export type FieldKind =
  | "string"
  | "bool"
  | "bytes"
  | "hex"
  | "double"
  | "fixed32"
  | "fixed64"
  | "sfixed64"
  | "int64"
  | "uint64"
  | "uint32"
  | "sint32"
  | "enum"
  | "message";

const WIRE_TYPES: Readonly<Record<FieldKind, number>> = {
  string: WIRE_LENGTH,
  bytes: WIRE_LENGTH,
  hex: WIRE_LENGTH,
  message: WIRE_LENGTH,
  double: WIRE_FIXED64,
  fixed64: WIRE_FIXED64,
  sfixed64: WIRE_FIXED64,
  fixed32: WIRE_FIXED32,
  bool: WIRE_VARINT,
  int64: WIRE_VARINT,
  uint64: WIRE_VARINT,
  uint32: WIRE_VARINT,
  sint32: WIRE_VARINT,
  enum: WIRE_VARINT,
};

/** What a row of the schema says beyond name, number and kind. */
export interface FieldTraits {
  readonly isRepeated?: boolean;
  /** Fields with the same name here exclude each other. */
  readonly oneof?: string;
  /** Presence is told apart from the default value, as in `optional double`. */
  readonly isOptional?: boolean;
  /** The message's name, where the kind is `message`. */
  readonly message?: string;
  readonly enumValues?: ReadonlyMap<string, number>;
}

export interface FieldRow extends FieldTraits {
  readonly name: string;
  readonly number: number;
  readonly kind: FieldKind;
}

/** One field of a message. Immutable once the schema is linked, and of one shape for all kinds. */
export class FieldDescriptor {
  /** lowerCamelCase, as OTLP's JSON writes it. */
  readonly name: string;
  readonly number: number;
  readonly kind: FieldKind;
  readonly isRepeated: boolean;
  /** A repeated number or boolean: one length-delimited run on the wire. */
  readonly isPacked: boolean;
  /** The default value is written too, because being there says something. */
  readonly hasPresence: boolean;
  /** Number and wire type as the wire has them; of a packed field, those of the whole run. */
  readonly tag: number;
  /** The tag of a single value: the same, but for a packed field. Old writers do not pack. */
  readonly elementTag: number;
  readonly oneof: string | undefined;
  /** Position in its message's table. */
  readonly index: number;
  /** One bit a field, shared by the members of a oneof: set twice is given twice. */
  readonly seenBit: number;
  /** The field's message; one without fields where the kind is another. */
  readonly message: MessageDescriptor;
  readonly enumValues: ReadonlyMap<string, number>;

  constructor(
    row: FieldRow,
    place: {
      readonly index: number;
      readonly seenBit: number;
      readonly message: MessageDescriptor;
    },
  ) {
    this.name = row.name;
    this.number = row.number;
    this.kind = row.kind;
    this.isRepeated = row.isRepeated ?? false;
    const wireType = WIRE_TYPES[row.kind];
    this.isPacked = this.isRepeated && wireType !== WIRE_LENGTH;
    this.hasPresence =
      this.isRepeated ||
      row.isOptional === true ||
      row.oneof !== undefined ||
      row.kind === "message";
    this.elementTag = (row.number << 3) | wireType;
    this.tag = (row.number << 3) | (this.isPacked ? WIRE_LENGTH : wireType);
    this.oneof = row.oneof;
    this.index = place.index;
    this.seenBit = place.seenBit;
    this.message = place.message;
    this.enumValues = row.enumValues ?? NO_ENUM_VALUES;
  }
}

const NO_ENUM_VALUES: ReadonlyMap<string, number> = new Map();

/** A message and its fields, found by number or by JSON key. */
export class MessageDescriptor {
  readonly name: string;
  #fields: readonly FieldDescriptor[] = [];
  #byNumber: (FieldDescriptor | undefined)[] = [];
  #byKey = new FieldTable<FieldDescriptor>([]);

  constructor(name: string) {
    this.name = name;
  }

  get fields(): readonly FieldDescriptor[] {
    return this.#fields;
  }

  /** Called once, while the schema is linked: messages refer to each other. */
  setFields(fields: readonly FieldDescriptor[]): void {
    this.#fields = fields;
    this.#byNumber = [];
    for (const field of fields) this.#byNumber[field.number] = field;
    this.#byKey = new FieldTable(
      fields.flatMap((field) =>
        [...new Set([field.name, toSnakeCase(field.name)])].map((key) => ({ key, value: field })),
      ),
    );
  }

  fieldOfNumber(number: number): FieldDescriptor | undefined {
    return number < this.#byNumber.length ? this.#byNumber[number] : undefined;
  }

  /** The field whose lowerCamelCase or snake_case name is the ASCII text `[start, end)`. */
  fieldOfKey(bytes: Uint8Array, start: number, end: number): FieldDescriptor | undefined {
    return this.#byKey.find(bytes, start, end);
  }
}

function toSnakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
