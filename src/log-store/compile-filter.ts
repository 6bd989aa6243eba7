import type { FieldRef, FieldTest, Filter } from "../core/filter.ts";
import type { Signal } from "../core/record.ts";
import type { Block } from "./block.ts";
import { isEntryField } from "./field-column.ts";
import type { Probe } from "./filters/probe.ts";
import type { Predicate } from "./predicate.ts";
import { AttributePredicate } from "./predicate-attribute.ts";
import { FieldPredicate } from "./predicate-field.ts";
import { keepRows, keepSeries } from "./row-mask.ts";
import { MessagePredicate, TextPredicate } from "./predicate-text.ts";
import type { SegmentTexts } from "./segment-texts.ts";
import { compileFieldTest } from "./value-test.ts";

/** Compiles a filter to run over the columns of a signal; one predicate for each query and thread. */
export function compileFilter(filter: Filter, signal: Signal): Predicate {
  switch (filter.kind) {
    case "all":
      return ALL;
    case "none":
      return NONE;
    case "and":
      return new AndPredicate(filter.of.map((part) => compileFilter(part, signal)));
    case "or":
      return new OrPredicate(filter.of.map((part) => compileFilter(part, signal)));
    case "not":
      return new NotPredicate(compileFilter(filter.of, signal));
    case "severity":
      return signal === "logs" ? new SeverityPredicate(filter.min, filter.max) : NONE;
    case "text":
      return new TextPredicate(filter.match, signal);
    case "field": {
      const { field, test } = filter;
      if (signal === "logs" && field.target === "message" && test.op === "contains") {
        return new MessagePredicate(test.match);
      }
      const wholeId = signal === "metrics" ? undefined : wholeIdPredicate(field, test);
      if (wholeId !== undefined) return wholeId;
      return fieldPredicate(field, test, signal);
    }
  }
}

function fieldPredicate(field: FieldRef, test: FieldTest, signal: Signal): Predicate {
  if (field.target === "attribute") return new AttributePredicate(field.key, test);
  if (field.target === "any" && !isEntryField(signal, field.key)) {
    const { key } = field;
    const inResource = fieldPredicate({ target: "resource", key }, test, signal);
    return new OrPredicate([inResource, new AttributePredicate(key, test)]);
  }
  return new FieldPredicate(field, compileFieldTest(test), signal);
}

const ALL: Predicate = {
  cost: 0,
  narrow: () => undefined,
  mayMatch: () => true,
  countRows: ({ rows }) => rows,
};

const NONE: Predicate = {
  cost: 0,
  narrow: (_, mask) => void mask.fill(0),
  mayMatch: () => false,
  countRows: () => 0,
};

class AndPredicate implements Predicate {
  readonly cost: number;
  readonly #parts: readonly Predicate[];

  constructor(parts: readonly Predicate[]) {
    this.#parts = parts.toSorted((left, right) => left.cost - right.cost);
    this.cost = parts.reduce((sum, { cost }) => sum + cost, 0);
  }

  narrow(block: Block, mask: Uint8Array): void {
    for (const part of this.#partsLeft(block, mask)) {
      if (!mask.includes(1)) return;
      part.narrow(block, mask);
    }
  }

  /** Tests series of points first, where a block has them; what is left is to be asked of rows. */
  #partsLeft(block: Block, mask: Uint8Array): readonly Predicate[] {
    const series = block.series?.();
    if (series === undefined) return this.#parts;
    const kept = new Uint8Array(series.count).fill(1);
    const left = this.#parts.filter((part) => part.narrowSeries?.(block, kept) !== true);
    keepSeries(mask, series, kept);
    return left;
  }

  mayMatch(probe: Probe): boolean {
    return this.#parts.every((part) => part.mayMatch(probe));
  }

  countRows(segment: SegmentTexts): number | undefined {
    let least: number | undefined = segment.rows;
    for (const part of this.#parts) {
      const count = part.countRows(segment);
      if (count === 0) return 0;
      if (count === segment.rows) continue;
      least = least === segment.rows ? count : undefined;
    }
    return least;
  }
}

class OrPredicate implements Predicate {
  readonly cost: number;
  readonly #parts: readonly Predicate[];

  constructor(parts: readonly Predicate[]) {
    this.#parts = parts.toSorted((left, right) => left.cost - right.cost);
    this.cost = parts.reduce((sum, { cost }) => sum + cost, 0);
  }

  narrow(block: Block, mask: Uint8Array): void {
    // What no part has matched yet; a row that matched one is not shown to the next.
    const left = mask.slice();
    const trial = new Uint8Array(mask.length);
    for (const part of this.#parts) {
      if (!left.includes(1)) break;
      trial.set(left);
      part.narrow(block, trial);
      for (let row = 0; row < left.length; row++) left[row] ^= trial[row];
    }
    for (let row = 0; row < mask.length; row++) mask[row] ^= left[row];
  }

  mayMatch(probe: Probe): boolean {
    return this.#parts.some((part) => part.mayMatch(probe));
  }

  countRows(segment: SegmentTexts): number | undefined {
    let greatest: number | undefined = 0;
    for (const part of this.#parts) {
      const count = part.countRows(segment);
      if (count === segment.rows) return segment.rows;
      if (count === 0) continue;
      greatest = greatest === 0 ? count : undefined;
    }
    return greatest;
  }
}

class NotPredicate implements Predicate {
  readonly cost: number;
  readonly #part: Predicate;

  constructor(part: Predicate) {
    this.#part = part;
    this.cost = part.cost;
  }

  narrow(block: Block, mask: Uint8Array): void {
    const matched = mask.slice();
    this.#part.narrow(block, matched);
    for (let row = 0; row < mask.length; row++) mask[row] ^= matched[row];
  }

  mayMatch(): boolean {
    return true;
  }

  countRows(segment: SegmentTexts): number | undefined {
    const count = this.#part.countRows(segment);
    return count === undefined ? undefined : segment.rows - count;
  }
}

class SeverityPredicate implements Predicate {
  readonly cost = 1;
  readonly #min: number;
  readonly #max: number;

  constructor(min: number, max: number) {
    this.#min = min;
    this.#max = max;
  }

  narrow(block: Block, mask: Uint8Array): void {
    const severities = block.u8("severity");
    for (let row = 0; row < mask.length; row++) {
      if (severities[row] < this.#min || severities[row] > this.#max) mask[row] = 0;
    }
  }

  mayMatch(probe: Probe): boolean {
    return probe.maxSeverity >= this.#min && probe.minSeverity <= this.#max;
  }

  countRows(): undefined {
    return undefined;
  }
}

/** Compares ids as bytes where a test asks for one whole id; undefined for other tests. */
function wholeIdPredicate(field: FieldRef, test: FieldTest): Predicate | undefined {
  if (field.target !== "trace_id" && field.target !== "span_id") return undefined;
  const digits = field.target === "trace_id" ? 32 : 16;
  if (test.op !== "equals" || test.text.length !== digits) return undefined;
  if (!/^[0-9a-f]+$/.test(test.text) || /^0+$/.test(test.text)) return undefined;
  return new WholeIdPredicate(Buffer.from(test.text, "hex"), field.target);
}

class WholeIdPredicate implements Predicate {
  readonly cost = 2;
  readonly #wanted: Uint8Array;
  readonly #name: string;

  constructor(wanted: Uint8Array, name: string) {
    this.#wanted = wanted;
    this.#name = name;
  }

  narrow(block: Block, mask: Uint8Array): void {
    const rows = this.#name === "trace_id" ? block.traceRows?.(this.#wanted) : undefined;
    if (rows === undefined) this.#compare(block, mask);
    else keepRows(mask, rows);
  }

  #compare(block: Block, mask: Uint8Array): void {
    const ids = block.ids(this.#name);
    const wanted = this.#wanted;
    const width = wanted.length;
    for (let row = 0; row < mask.length; row++) {
      if (mask[row] === 0) continue;
      const start = row * width;
      for (let byte = 0; byte < width; byte++) {
        if (ids[start + byte] !== wanted[byte]) {
          mask[row] = 0;
          break;
        }
      }
    }
  }

  mayMatch(probe: Probe): boolean {
    return this.#name !== "trace_id" || probe.mayHoldTrace(this.#wanted);
  }

  countRows(): undefined {
    return undefined;
  }
}
