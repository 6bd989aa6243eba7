import { decodeText } from "../../wire/any-value-decode.ts";
import type { ValueTest } from "../value-test.ts";
import { DOUBLE_TYPE, INT_TYPE, STRING_TYPE } from "./attribute-splitter.ts";
import type { ClauseColumn } from "./clause-column.ts";
import type { Part } from "./clause-part.ts";
import { KEY_END, MARKS_END } from "./clause-marks.ts";

/** Tests the value of a part's clause. */
type ClauseTest = (part: Part, clause: number) => boolean;

/**
 * Tests the values of one attribute template straight from its slots: all that a block has of them
 * stand one behind the other, so no row is put together.
 */
export class SlotValueTest {
  readonly #column: ClauseColumn;
  readonly #template: number;
  readonly #test: ClauseTest;

  private constructor(column: ClauseColumn, template: number, test: ClauseTest) {
    this.#column = column;
    this.#template = template;
    this.#test = test;
  }

  /** Undefined for templates whose values are read otherwise: lists, maps, bytes, odd ones. */
  static of(column: ClauseColumn, template: number, test: ValueTest): SlotValueTest | undefined {
    const { bytes, offsets } = column.source.templates();
    if (bytes[offsets[template]] < MARKS_END) return undefined;
    const typeAt = bytes.indexOf(KEY_END, offsets[template]) + 1;
    switch (bytes[typeAt]) {
      case STRING_TYPE:
        return new SlotValueTest(
          column,
          template,
          stringTest(bytes.subarray(typeAt + 1, offsets[template + 1]), test),
        );
      case INT_TYPE:
        return new SlotValueTest(column, template, intTest(test));
      case DOUBLE_TYPE:
        return new SlotValueTest(column, template, doubleTest(test));
      default:
        return undefined;
    }
  }

  /** Sets the hits of `rows`, those of the template in order, that `wanted` has and that pass. */
  run(rows: Uint32Array, wanted: Uint8Array, hits: Uint8Array): void {
    const { partTemplates, partFirsts, partCounts } = this.#column.source.directory();
    let index = this.#column.source.directory().firstPart(this.#template);
    if (index < 0) return;
    for (; partTemplates[index] === this.#template; index++) {
      const first = partFirsts[index];
      const count = partCounts[index];
      let part: Part | undefined;
      for (let clause = 0; clause < count; clause++) {
        const row = rows[first + clause];
        if (wanted[row] === 0) continue;
        part ??= this.#column.part(index);
        if (this.#test(part, clause)) hits[row] = 1;
      }
    }
  }
}

/** Puts a text together from the template's pieces and its slots. */
function stringTest(template: Uint8Array, test: ValueTest): ClauseTest {
  const pieces: string[] = [];
  let start = 0;
  for (let at = 0; at <= template.length; at++) {
    if (at < template.length && template[at] >= MARKS_END) continue;
    // Marks stand beside whole characters only, so a piece can be decoded by itself.
    pieces.push(decodeText(template, start, at));
    start = at + 1;
  }
  return ({ data, starts, ends, count }, clause) => {
    let text = pieces[0];
    for (let piece = 1, slot = clause; piece < pieces.length; piece++, slot += count) {
      text += decodeText(data, starts[slot], ends[slot]) + pieces[piece];
    }
    return test(text);
  };
}

/** Most integers of attributes are small and few: status codes, ports, counts. */
const FEW_VALUES = 0x4000;
const UNKNOWN = 2;
/** A varint of so many bytes is an integer that a double holds exactly. */
const EXACT_BYTES_MAX = 7;

function intTest(test: ValueTest): ClauseTest {
  const verdicts = new Uint8Array(FEW_VALUES).fill(UNKNOWN);
  return ({ data, starts, ends }, clause) => {
    const start = starts[clause];
    const end = ends[clause];
    // An exact double has the same text, and compares in the same way, as the integer.
    if (end - start > EXACT_BYTES_MAX) return test(readInt64(data, start, end));
    let value = 0;
    for (let at = end - 1; at >= start; at--) value = value * 0x80 + (data[at] & 0x7f);
    if (value >= FEW_VALUES) return test(value);
    if (verdicts[value] === UNKNOWN) verdicts[value] = test(value) ? 1 : 0;
    return verdicts[value] === 1;
  };
}

function readInt64(data: Uint8Array, start: number, end: number): bigint {
  let value = 0n;
  for (let at = end - 1; at >= start; at--) value = (value << 7n) | BigInt(data[at] & 0x7f);
  return BigInt.asIntN(64, value);
}

function doubleTest(test: ValueTest): ClauseTest {
  return ({ data, starts }, clause) => {
    const view = new DataView(data.buffer, data.byteOffset + starts[clause], 8);
    return test(view.getFloat64(0, true));
  };
}
