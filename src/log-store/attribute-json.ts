import { anyValueToJson, attributesToJson } from "../core/any-value.ts";
import { decodeAttributes } from "../wire/any-value-decode.ts";
import { attributesReader } from "./attributes-reader.ts";
import type { Block } from "./block.ts";
import { AttributeRowReader } from "./clauses/attribute-rows.ts";
import { STRING_TYPE } from "./clauses/attribute-splitter.ts";
import type { ClauseColumn } from "./clauses/clause-column.ts";
import { ClauseJson } from "./clauses/clause-json.ts";
import { ClauseRowReader } from "./clauses/clause-column.ts";
import { KEY_END, VALUE_TEMPLATE } from "./clauses/clause-marks.ts";
import type { EntryWriter } from "./line-buffer.ts";

/** The attributes of a row as a JSON object. */
export function attributesWriter(block: Block): EntryWriter {
  const clauses = block.clauses("attributes");
  if (clauses !== undefined) return attributeClausesWriter(clauses);
  const read = attributesReader(block);
  return (row, out) => out.text(JSON.stringify(read(row) ?? {}));
}

/**
 * Writes attributes that are kept as clauses as a JSON object: keys are made once for each template,
 * values that are the same in every row too.
 */
function attributeClausesWriter(clauses: ClauseColumn): EntryWriter {
  const { source } = clauses;
  const { templates } = source.shapes();
  const { slotCounts, bytes, offsets } = source.templates();
  const reader = new ClauseRowReader(clauses);
  const json = new ClauseJson(clauses, reader);
  const fields = new AttributeRowReader(clauses);
  /** Of each template: `"key":` or, where it has no slot, the whole attribute. */
  const heads: (Uint8Array | undefined)[] = [];
  /** Of each template of a string with slots: bytes before its text. */
  const stringStarts: number[] = [];

  /** What an attribute's value is, by way of its field on the wire. */
  const valueJson = (row: number, index: number): string => {
    const end = fields.readField(row, index, 0);
    for (const value of decodeAttributes(fields.bytes, 0, end).values()) {
      return JSON.stringify(anyValueToJson(value));
    }
    return "null";
  };
  const headOf = (template: number, clause: Uint8Array, row: number, index: number): Uint8Array => {
    const key = Buffer.from(clause.subarray(1, clause.indexOf(KEY_END))).toString("utf8");
    const head = `${JSON.stringify(key)}:`;
    return Buffer.from(slotCounts[template] === 0 ? head + valueJson(row, index) : head);
  };

  return (row, out) => {
    const [from, to] = reader.shapeRange(row);
    if (from < to && templates[from] === VALUE_TEMPLATE) {
      const end = fields.read(row);
      out.text(JSON.stringify(attributesToJson(decodeAttributes(fields.bytes, 0, end))));
      return;
    }
    out.text("{");
    for (let index = from; index < to; index++) {
      if (index > from) out.text(",");
      const template = templates[index];
      const isConstant = slotCounts[template] === 0;
      let head = heads[template];
      if (head !== undefined && isConstant) {
        out.raw(head);
        continue;
      }
      const stringStart = stringStarts[template] ?? 0;
      if (head !== undefined && stringStart > 0) {
        out.raw(head);
        out.text('"');
        json.writeClause(row, index, stringStart, out);
        out.text('"');
        continue;
      }
      const end = reader.readClause(row, index, 0);
      // Clauses of the template of any bytes have keys of their own.
      if (head === undefined || template < VALUE_TEMPLATE) {
        head = headOf(template, reader.bytes.subarray(0, end), row, index);
        if (template > VALUE_TEMPLATE) {
          heads[template] = head;
          const typeAt = bytes.indexOf(KEY_END, offsets[template]) + 1;
          if (bytes[typeAt] === STRING_TYPE)
            stringStarts[template] = typeAt + 1 - offsets[template];
        }
      }
      out.raw(head);
      if (isConstant) continue;
      const keyEnd = reader.bytes.indexOf(KEY_END);
      if (reader.bytes[keyEnd + 1] === STRING_TYPE) out.quoted(reader.bytes, keyEnd + 2, end);
      else out.text(valueJson(row, index));
    }
    out.text("}");
  };
}
