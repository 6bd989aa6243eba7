import type { AnyValue } from "../../core/any-value.ts";
import { decodeText } from "../../wire/any-value-decode.ts";
import { BOOL_TYPE, STRING_TYPE, TRUE } from "./attribute-splitter.ts";
import type { ClauseTemplates } from "./clause-dictionary.ts";
import { KEY_END, MARKS_END } from "./clause-marks.ts";
import { isEqualRange } from "./equal-range.ts";

/**
 * Where the value begins in a template of this key (a field's tag, the key, `KEY_END`, a type, the
 * value), or -1 where the template is of another key or one of the fixed ones.
 */
export function valueStart(
  { bytes, offsets }: ClauseTemplates,
  template: number,
  key: Uint8Array,
): number {
  const start = offsets[template];
  if (bytes[start] < MARKS_END) return -1;
  const keyEnd = start + 1 + key.length;
  const isKey =
    keyEnd + 2 <= offsets[template + 1] &&
    bytes[keyEnd] === KEY_END &&
    isEqualRange(bytes, start + 1, key, 0, key.length);
  return isKey ? keyEnd + 2 : -1;
}

/** The value that a template without slots stands for; it begins at `start`. */
export function readConstant(
  { bytes, offsets }: ClauseTemplates,
  template: number,
  start: number,
): AnyValue {
  switch (bytes[start - 1]) {
    case STRING_TYPE:
      return decodeText(bytes, start, offsets[template + 1]);
    case BOOL_TYPE:
      return bytes[start] === TRUE;
    default:
      return null;
  }
}
