import { PerOwner } from "../block.ts";
import { STRING_TYPE } from "./attribute-splitter.ts";
import type { ClauseColumn } from "./clause-column.ts";
import { ClauseRowReader } from "./clause-column.ts";
import type { ClauseTemplates } from "./clause-dictionary.ts";
import { ANY_TEMPLATE, KEY_END, VALUE_TEMPLATE } from "./clause-marks.ts";
import type { ClauseRecorder } from "./clause-recorder.ts";
import type { TextSplitter, WordSink } from "./text-splitter.ts";
import { tellWords } from "./text-splitter.ts";

const NOT_MAPPED = -2;
/** The new segment has no room for the template. */
const NO_TEMPLATE = -1;

/**
 * Takes rows over from columns that are kept as clauses: their templates are those of another
 * segment, which are looked up once each, and their slots are copied. Nothing is split again but
 * what is kept without a template.
 */
export class ClauseTransplant {
  /** What the slots stand in since `beginBlock`. */
  readonly #target = { bytes: new Uint8Array(1024 * 1024) };
  #end = 0;
  readonly #recorder: ClauseRecorder;
  readonly #splitter: TextSplitter;
  readonly #kind: "text" | "attributes";
  readonly #words: WordSink | undefined;
  readonly #mapped = new PerOwner<ClauseTemplates, Int32Array>(({ count }) =>
    new Int32Array(count).fill(NOT_MAPPED),
  );
  /** Of the block: a reader for each column that rows come from. */
  readonly #readers = new Map<ClauseColumn, SourceRows>();
  /** Of each new template: how many of its bytes stand before its text, or -1 where it has none. */
  readonly #textStarts: number[] = [];

  constructor(
    recorder: ClauseRecorder,
    parts: {
      readonly splitter: TextSplitter;
      readonly kind: "text" | "attributes";
      readonly words: WordSink | undefined;
    },
  ) {
    this.#recorder = recorder;
    this.#splitter = parts.splitter;
    this.#kind = parts.kind;
    this.#words = parts.words;
  }

  get data(): Uint8Array {
    return this.#target.bytes;
  }

  beginBlock(): void {
    this.#recorder.beginBlock();
    this.#readers.clear();
    this.#end = 0;
  }

  /** Records a row, and returns where its bytes begin and end in `data`. */
  addRow(column: ClauseColumn, row: number): { readonly start: number; readonly end: number } {
    const source = this.#sourceOf(column);
    const start = this.#end;
    const [from, to] = source.reader.shapeRange(row);
    for (let index = from; index < to; index++) this.#addClause(source, row, index);
    this.#recorder.endRow();
    return { start, end: this.#end };
  }

  #addClause(
    { reader, templates, shapeTemplates, mapped }: SourceRows,
    row: number,
    index: number,
  ): void {
    const recorder = this.#recorder;
    const old = shapeTemplates[index];
    if (mapped[old] === NOT_MAPPED) mapped[old] = this.#map(templates, old);
    const template = mapped[old];
    const start = this.#end;
    const firstSlot = recorder.slots;
    const end = reader.readClause(row, index, start, recorder);
    this.#end = end;
    const data = this.#target.bytes;
    if (template === VALUE_TEMPLATE) {
      recorder.slots = firstSlot;
      recorder.wholeValue(start, end);
    } else if (template <= ANY_TEMPLATE) {
      recorder.slots = firstSlot;
      this.#splitAgain(data, start, end);
    } else {
      const textStart = this.#textStarts[template];
      if (this.#words !== undefined && textStart >= 0) {
        tellWords(recorder, data, { firstSlot, start: start + textStart, end }, this.#words);
      }
      recorder.knownClause(template, data, firstSlot);
    }
  }

  #splitAgain(data: Uint8Array, start: number, end: number): void {
    const textStart = this.#textStart(data.subarray(start, end));
    if (textStart >= 0) this.#splitter.splitBehind(data, start, start + textStart, end);
    else this.#recorder.anyClause(start, end, this.#recorder.slots);
  }

  #map({ bytes, offsets }: ClauseTemplates, old: number): number {
    if (old <= VALUE_TEMPLATE) return old;
    const template = this.#recorder.intern(bytes, offsets[old], offsets[old + 1]);
    if (template < 0) return NO_TEMPLATE;
    this.#textStarts[template] = this.#textStart(bytes.subarray(offsets[old], offsets[old + 1]));
    return template;
  }

  /** Where the text begins in a clause or template: behind the key and type of a string attribute. */
  #textStart(clause: Uint8Array): number {
    if (this.#kind === "text") return 0;
    const keyEnd = clause.indexOf(KEY_END);
    return clause[keyEnd + 1] === STRING_TYPE ? keyEnd + 2 : -1;
  }

  #sourceOf(column: ClauseColumn): SourceRows {
    const known = this.#readers.get(column);
    if (known !== undefined) return known;
    const templates = column.source.templates();
    const source = {
      reader: new ClauseRowReader(column, this.#target),
      templates,
      shapeTemplates: column.source.shapes().templates,
      mapped: this.#mapped.of(templates),
    };
    this.#readers.set(column, source);
    return source;
  }
}

interface SourceRows {
  readonly reader: ClauseRowReader;
  readonly templates: ClauseTemplates;
  readonly shapeTemplates: Uint32Array;
  /** The new template of each old one. */
  readonly mapped: Int32Array;
}
