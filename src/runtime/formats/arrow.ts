import {
  type Data,
  DataType,
  makeBuilder,
  makeVector,
  Null,
  type RecordBatch,
  type Struct,
  Table,
  tableFromIPC,
  tableToIPC,
  Vector,
} from "apache-arrow";
import { AppError, errorMessage } from "../../core/errors.ts";
import { ArrowTemplates, type PrimitiveArray } from "./arrow-templates.ts";
import type { EncodedValue, Format, LogicalSchema } from "./format.ts";

/** The name of the one column. */
const COLUMN = "value";

/**
 * Values are Arrow arrays: an IPC stream of one batch, whose one column is the array. A table is the
 * array of its rows, which are structs. Typed arrays are Arrow's primitive arrays.
 *
 * Threads: one. What `encode` returns may view the value's own memory.
 * Pitfalls: importing this module loads apache-arrow, some 65 MB and 130 ms of CPU.
 */
class ArrowFormat implements Format<Vector> {
  readonly name = "arrow";
  readonly #templates = new ArrowTemplates(encodeVector);

  encode(value: unknown): EncodedValue {
    if (isPrimitiveArray(value)) return this.#templates.encode(value);
    const vector = joinChunks(vectorOf(value));
    return { payload: encodeVector(vector), schema: logicalSchema(vector.type) };
  }

  decode(payload: Uint8Array): Vector {
    const column = readTable(payload).getChildAt(0);
    if (column === null) {
      throw new AppError("FORMAT_MISMATCH", "the payload is an Arrow stream without a column");
    }
    return column;
  }
}

export const arrowFormat: Format<Vector> = new ArrowFormat();

/** The Arrow array that stands for a message of bytes; a view of them. */
export function bytesVector(bytes: Uint8Array): Vector {
  return makeVector(bytes);
}

/** The Arrow array of a message without a value. */
export function emptyVector(): Vector {
  return new Vector([makeBuilder({ type: new Null() }).finish().flush()]);
}

function isPrimitiveArray(value: unknown): value is PrimitiveArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function encodeVector(vector: Vector): Uint8Array {
  return tableToIPC(new Table({ [COLUMN]: vector }), "stream");
}

function readTable(payload: Uint8Array): Table {
  try {
    return tableFromIPC(payload);
  } catch (error) {
    throw new AppError(
      "FORMAT_MISMATCH",
      `the payload is no Arrow stream: ${errorMessage(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** By what it has, not by its class: the user's code may have loaded another copy of apache-arrow. */
function vectorOf(value: unknown): Vector {
  if (isVector(value)) return value;
  if (isTable(value)) return new Vector(value.batches.map((batch) => rowsOf(batch)));
  if (isBatch(value)) return new Vector([rowsOf(value)]);
  throw new AppError(
    "VALUE_UNSUPPORTED",
    `${describe(value)} cannot be sent; give bytes (Uint8Array), a typed array, an Arrow vector or table, or nothing${adviceFor(value)}`,
  );
}

function isVector(value: unknown): value is Vector {
  return has(value, "data") && Array.isArray(value.data) && has(value, "type");
}

function isTable(value: unknown): value is Table {
  return has(value, "batches") && Array.isArray(value.batches) && has(value, "schema");
}

function isBatch(value: unknown): value is RecordBatch {
  return has(value, "data") && has(value, "schema") && !Array.isArray(value.data);
}

function has<Key extends string>(value: unknown, key: Key): value is Record<Key, unknown> {
  return typeof value === "object" && value !== null && key in value;
}

function rowsOf(batch: RecordBatch): Data<Struct> {
  return batch.data;
}

function describe(value: unknown): string {
  if (typeof value === "string") return "a string";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) {
    const { constructor } = value;
    return `an object (${typeof constructor === "function" ? constructor.name : "Object"})`;
  }
  return value === null ? "null" : `a ${typeof value}`;
}

function adviceFor(value: unknown): string {
  if (typeof value === "string") {
    return ": such as Buffer.from(text), or vectorFromArray([text], new Utf8()) of apache-arrow";
  }
  if (Array.isArray(value)) return ": such as Float64Array.from(values)";
  if (value === null) return ": undefined is no value";
  return "";
}

/** A stream has one batch, and so its column one chunk. */
function joinChunks(vector: Vector): Vector {
  const type: unknown = vector.type;
  if (vector.data.length <= 1 || !isDataType(type)) return vector;
  const builder = makeBuilder({ type, nullValues: [null, undefined] });
  for (const value of vector) builder.append(value);
  return new Vector([builder.finish().flush()]);
}

function isDataType(type: unknown): type is DataType {
  return has(type, "typeId") && has(type, "children");
}

function logicalSchema(type: unknown): LogicalSchema {
  if (!DataType.isStruct(type)) return logicalType(type);
  return Object.fromEntries(type.children.map((field) => [field.name, logicalType(field.type)]));
}

function logicalType(type: unknown): string {
  // How values are packed is no part of what they are.
  if (DataType.isDictionary(type)) return logicalType(type.dictionary);
  if (DataType.isList(type)) return `list<${logicalType(type.valueType)}>`;
  if (DataType.isFixedSizeList(type)) {
    return `list<${logicalType(type.valueType)}, ${type.listSize}>`;
  }
  if (DataType.isStruct(type)) {
    const fields = type.children.map((field) => `${field.name}: ${logicalType(field.type)}`);
    return `struct<${fields.join(", ")}>`;
  }
  return String(type).toLowerCase();
}
