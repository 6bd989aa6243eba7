import type { Json } from "../core/any-value.ts";
import { attributesToJson } from "../core/any-value.ts";
import { decodeAttributes } from "../wire/any-value-decode.ts";
import type { Block } from "./block.ts";
import { AttributeRowReader } from "./clauses/attribute-rows.ts";

/** Reads the attributes of a row as JSON; undefined where it has none. */
export function attributesReader(
  block: Block,
): (row: number) => { readonly [key: string]: Json } | undefined {
  const clauses = block.clauses("attributes");
  if (clauses !== undefined) {
    const reader = new AttributeRowReader(clauses);
    return (row) => {
      const end = reader.read(row);
      return end === 0 ? undefined : attributesToJson(decodeAttributes(reader.bytes, 0, end));
    };
  }
  const { data, starts, ends } = block.bytes("attributes");
  return (row) =>
    starts[row] === ends[row]
      ? undefined
      : attributesToJson(decodeAttributes(data, starts[row], ends[row]));
}
