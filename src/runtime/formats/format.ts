/**
 * How a value of a node's code becomes the payload of a message, and back. A format's module is loaded
 * with the first value that needs it.
 */

/**
 * What an output's values are, whatever their format: a type such as `float32`, `list<utf8>` or `bytes`;
 * of a table or a struct, the types of its fields.
 */
export type LogicalSchema = string | Readonly<Record<string, string>>;

/** The schema of a message without a value, which fits every output. */
export const NO_SCHEMA = "null";

export interface EncodedValue {
  /** One piece, or pieces that follow each other: then large values need no copy. */
  readonly payload: Uint8Array | readonly Uint8Array[];
  readonly schema: LogicalSchema;
}

export interface Format<Value> {
  /** As `data_format` in a dataflow file. */
  readonly name: string;
  /** Errors: `VALUE_UNSUPPORTED`, saying what was given and what may be. */
  encode(value: unknown): EncodedValue;
  /**
   * The bytes must stay as they are: the value may be a view of them.
   *
   * Errors: `FORMAT_MISMATCH` where they are not of this format.
   */
  decode(payload: Uint8Array): Value;
}
