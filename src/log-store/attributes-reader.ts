import type { Json } from "../core/any-value.ts";
import { attributesToJson } from "../core/any-value.ts";
import { decodeAttributes } from "../wire/any-value-decode.ts";
import type { BytesColumn } from "./block.ts";

/** Reads the attributes of a row as JSON; undefined where it has none. */
export function attributesReader({
  data,
  starts,
  ends,
}: BytesColumn): (row: number) => { readonly [key: string]: Json } | undefined {
  return (row) =>
    starts[row] === ends[row]
      ? undefined
      : attributesToJson(decodeAttributes(data, starts[row], ends[row]));
}
