import type { CreateNodeOptions, DocumentOptions, SchemaOptions, ToStringOptions } from "yaml";
import { stringify } from "yaml";
import type { Row } from "./row.ts";
import { parseRows } from "./row.ts";

type Options = DocumentOptions & SchemaOptions & CreateNodeOptions & ToStringOptions;

/**
 * Every text is in double quotes, so that no reader takes `no`, `1e3` or `0x1F` for anything but
 * text; keys are quoted where YAML 1.1 or 1.2 would take them for something else (SEC-012).
 */
const OPTIONS: Options = {
  compat: "yaml-1.1",
  defaultStringType: "QUOTE_DOUBLE",
  defaultKeyType: "PLAIN",
  // Equal values would become anchors and aliases, which readers limit.
  aliasDuplicateObjects: false,
  lineWidth: 0,
};
const OPTIONS_QUOTED_KEYS: Options = { ...OPTIONS, defaultKeyType: "QUOTE_DOUBLE" };

/**
 * What JSON leaves as it is, but a YAML reader refuses or takes for a line break: DEL, C1 controls,
 * line and paragraph separators, the byte order mark, two non-characters. Only escaped in quotes.
 *
 * Source: YAML 1.2.2, 5.1 "Character Set"; YAML 1.1, 5.4 "Line Break Characters".
 */
const UNPRINTABLE = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

/** Rows that become nodes at a time: each call has a cost, and nodes take memory. */
const ROWS_AT_ONCE = 50;

/** One YAML sequence, an item a row. */
export async function* exportYaml(
  lines: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  let isEmpty = true;
  for await (const chunk of lines) {
    const rows = parseRows(chunk);
    for (let start = 0; start < rows.length; start += ROWS_AT_ONCE) {
      isEmpty = false;
      yield Buffer.from(printItems(rows.slice(start, start + ROWS_AT_ONCE)));
    }
  }
  if (isEmpty) yield Buffer.from("[]\n");
}

function printItems(rows: readonly Row[]): string {
  const text = stringify(rows, OPTIONS);
  if (text.search(UNPRINTABLE) === -1) return text;
  return stringify(rows, OPTIONS_QUOTED_KEYS).replaceAll(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
