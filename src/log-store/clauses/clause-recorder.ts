import { copyBytes } from "../../wire/byte-ranges.ts";
import {
  ANY_MARK,
  ANY_TEMPLATE,
  CLAUSES_MAX,
  FIXED_TEMPLATES,
  LETTER_BITS,
  MIXED_MARK,
  TEMPLATE_BYTES_MAX,
  VALUE_TEMPLATE,
} from "./clause-marks.ts";
import { ShapeTable } from "./shape-table.ts";
import { TemplateTree } from "./template-tree.ts";

/** Until there are so many templates, every clause gets one. */
const TEMPLATES_FREE = 2048;
/** Past `TEMPLATES_FREE` a new template is taken only while there are so many rows for each. */
const ROWS_PER_TEMPLATE = 16;
const TEMPLATES_MAX = 65_536;

/**
 * The clauses of one column while a segment is written: the segment's templates and shapes, and
 * for the block at hand where each slot's bytes stand. A splitter calls it for one value after the
 * other:
 *
 *     beginRow; { slot… endClause }…; endRow
 *
 * Nothing is allocated for a row. What it records of a block is read by `encodeClauses`.
 */
export class ClauseRecorder {
  readonly templates = new TemplateTree(FIXED_TEMPLATES);
  readonly shapes = new ShapeTable();
  #rowsSeen = 0;

  /** Of the block: each row's shape. */
  shapeIds = new Uint32Array(1024);
  rows = 0;
  /** Of the block: each clause that has slots, in the order of the rows: template, first slot. */
  clauseTemplates = new Uint32Array(4096);
  clauseSlots = new Uint32Array(4096);
  clauses = 0;
  /** Of the block: where the slots' bytes stand in the column's data. */
  slotStarts = new Uint32Array(8192);
  slotEnds = new Uint32Array(8192);
  slotMarks = new Uint8Array(8192);
  slots = 0;

  readonly #rowTemplates = new Uint32Array(CLAUSES_MAX + 1);
  #rowClauses = 0;
  /** The template at hand, with its marks. */
  readonly #template = new Uint8Array(TEMPLATE_BYTES_MAX);

  beginBlock(): void {
    this.rows = 0;
    this.clauses = 0;
    this.slots = 0;
  }

  /** Clauses that the row at hand may still have, the last one included. */
  get clausesLeft(): number {
    return CLAUSES_MAX - this.#rowClauses;
  }

  /** Makes room for so many more slots, which may then be written to the columns themselves. */
  reserveSlots(count: number): void {
    while (this.slots + count > this.slotStarts.length) this.#growSlots();
  }

  slot(start: number, end: number, mark: number): void {
    if (this.slots === this.slotStarts.length) this.#growSlots();
    this.slotStarts[this.slots] = start;
    this.slotEnds[this.slots] = end;
    this.slotMarks[this.slots] = mark;
    this.slots += 1;
  }

  /** A clause of a template that is there; its slots are those since `firstSlot`. */
  knownClause(template: number, data: Uint8Array, firstSlot: number): void {
    this.#noteLetters(template, data, firstSlot);
    this.#push(template, firstSlot);
  }

  /** The clause `data[start, end)`, whose slots are those since `firstSlot`. */
  endClause(data: Uint8Array, start: number, end: number, firstSlot: number): void {
    const length = this.#writeTemplate(data, start, end, firstSlot);
    const template = length < 0 ? -1 : this.intern(this.#template, 0, length);
    if (template < 0) this.anyClause(start, end, firstSlot);
    else this.knownClause(template, data, firstSlot);
  }

  /** A clause that is one slot; takes the place of its slots since `firstSlot`. */
  anyClause(start: number, end: number, firstSlot: number): void {
    this.slots = firstSlot;
    this.slot(start, end, ANY_MARK);
    this.#push(ANY_TEMPLATE, firstSlot);
  }

  /** The whole value is one slot of bytes that are no text; it has no other clause. */
  wholeValue(start: number, end: number): void {
    const firstSlot = this.slots;
    this.slot(start, end, ANY_MARK);
    this.#push(VALUE_TEMPLATE, firstSlot);
  }

  /** Forgets the row's clauses so far. */
  restartRow(firstSlot: number): void {
    this.slots = firstSlot;
    while (this.clauses > 0 && this.clauseSlots[this.clauses - 1] >= firstSlot) this.clauses -= 1;
    this.#rowClauses = 0;
  }

  endRow(): void {
    if (this.rows === this.shapeIds.length) this.shapeIds = grown(this.shapeIds);
    this.shapeIds[this.rows] = this.shapes.intern(this.#rowTemplates, this.#rowClauses);
    this.rows += 1;
    this.#rowsSeen += 1;
    this.#rowClauses = 0;
  }

  #noteLetters(template: number, data: Uint8Array, firstSlot: number): void {
    for (let slot = firstSlot; slot < this.slots; slot++) {
      if (this.slotMarks[slot] !== MIXED_MARK) continue;
      let letters = 0;
      for (let at = this.slotStarts[slot]; at < this.slotEnds[slot]; at++) {
        letters |= LETTER_BITS[data[at]];
      }
      this.templates.letters[template] |= letters;
    }
  }

  #push(template: number, firstSlot: number): void {
    this.#rowTemplates[this.#rowClauses++] = template;
    // They have no letters of their own: the field says that they are in use.
    if (template <= VALUE_TEMPLATE) this.templates.letters[template] = 1;
    if (firstSlot === this.slots) return;
    if (this.clauses === this.clauseSlots.length) {
      this.clauseTemplates = grown(this.clauseTemplates);
      this.clauseSlots = grown(this.clauseSlots);
    }
    this.clauseTemplates[this.clauses] = template;
    this.clauseSlots[this.clauses] = firstSlot;
    this.clauses += 1;
  }

  /** Writes the clause with marks in the place of its slots; its length, or -1 where it is too long. */
  #writeTemplate(data: Uint8Array, start: number, end: number, firstSlot: number): number {
    let length = end - start;
    for (let slot = firstSlot; slot < this.slots; slot++) {
      length -= this.slotEnds[slot] - this.slotStarts[slot] - 1;
    }
    if (length > TEMPLATE_BYTES_MAX) return -1;
    const target = this.#template;
    let at = 0;
    let from = start;
    for (let slot = firstSlot; slot < this.slots; slot++) {
      at = copyBytes(data, from, this.slotStarts[slot], target, at);
      target[at++] = this.slotMarks[slot];
      from = this.slotEnds[slot];
    }
    return copyBytes(data, from, end, target, at);
  }

  /** The id of the template `source[start, end)`, or -1 where it is not worth one. */
  intern(source: Uint8Array, start: number, end: number): number {
    const { templates } = this;
    const known = templates.find(source, start, end);
    if (known >= 0) return known;
    const room = TEMPLATES_FREE + this.#rowsSeen / ROWS_PER_TEMPLATE;
    if (templates.count >= Math.min(room, TEMPLATES_MAX)) return -1;
    return templates.add(source, start, end);
  }

  #growSlots(): void {
    this.slotStarts = grown(this.slotStarts);
    this.slotEnds = grown(this.slotEnds);
    const marks = new Uint8Array(this.slotMarks.length * 2);
    marks.set(this.slotMarks);
    this.slotMarks = marks;
  }
}

function grown(values: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(values.length * 2);
  larger.set(values);
  return larger;
}
