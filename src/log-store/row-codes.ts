/**
 * A small number for each row of a block, which stands for what the row has in one group key or in
 * several. Rows with the same code have the same value there; codes mean nothing in other blocks.
 */
export interface RowCodes {
  readonly codeCount: number;
  /** The number that the code's value has in all blocks. Asked only for codes of matching rows. */
  readonly numberOf: (code: number) => number;
  /** Rows that do not match have any code below `codeCount`. */
  codes(): Codes;
  /** How many matching rows have each code; with `weights` each row stands for so many. */
  count(mask: Uint8Array, weights: Uint32Array | undefined): Uint32Array;
}

export type Codes = Uint8Array | Uint32Array;

/** Codes that stand in an array. A mask's bytes are 0 or 1, so loops need no branch for it. */
export class ArrayCodes implements RowCodes {
  readonly codeCount: number;
  readonly numberOf: (code: number) => number;
  readonly #codes: Codes;

  constructor(codes: Codes, codeCount: number, numberOf: (code: number) => number) {
    this.#codes = codes;
    this.codeCount = codeCount;
    this.numberOf = numberOf;
  }

  codes(): Codes {
    return this.#codes;
  }

  count(mask: Uint8Array, weights: Uint32Array | undefined): Uint32Array {
    const codes = this.#codes;
    const counts = new Uint32Array(this.codeCount);
    if (weights === undefined) {
      for (let row = 0; row < mask.length; row++) counts[codes[row]] += mask[row];
    } else {
      for (let row = 0; row < mask.length; row++) counts[codes[row]] += mask[row] * weights[row];
    }
    return counts;
  }
}

/** What rows have on the left and on the right; counted without an array of the joint codes. */
class JointCodes implements RowCodes {
  readonly codeCount: number;
  readonly numberOf: (code: number) => number;
  readonly #left: Codes;
  readonly #right: Codes;
  readonly #radix: number;

  constructor(
    left: RowCodes,
    right: RowCodes,
    numberOf: (leftNumber: number, rightNumber: number) => number,
  ) {
    const radix = right.codeCount;
    this.codeCount = left.codeCount * radix;
    this.numberOf = (code) =>
      numberOf(left.numberOf(Math.floor(code / radix)), right.numberOf(code % radix));
    this.#left = left.codes();
    this.#right = right.codes();
    this.#radix = radix;
  }

  codes(): Codes {
    const left = this.#left;
    const right = this.#right;
    const radix = this.#radix;
    const codes = new Uint32Array(left.length);
    for (let row = 0; row < codes.length; row++) codes[row] = left[row] * radix + right[row];
    return codes;
  }

  count(mask: Uint8Array, weights: Uint32Array | undefined): Uint32Array {
    const left = this.#left;
    const right = this.#right;
    const radix = this.#radix;
    const counts = new Uint32Array(this.codeCount);
    if (weights === undefined) {
      for (let row = 0; row < mask.length; row++) {
        counts[left[row] * radix + right[row]] += mask[row];
      }
    } else {
      for (let row = 0; row < mask.length; row++) {
        counts[left[row] * radix + right[row]] += mask[row] * weights[row];
      }
    }
    return counts;
  }
}

/** All rows have the same value, number 0. */
export function uniformCodes(rows: number): RowCodes {
  return new ArrayCodes(new Uint8Array(rows), 1, () => 0);
}

/** Arrays over codes stay this small beside the rows that are counted, */
const CODES_PER_ROW_MAX = 4;
/** or smaller than this, which is made faster than codes are compacted. */
const CODES_FEW = 4096;

/**
 * What rows have on the left and on the right, as one code. `numberOf` gives the number, in all
 * blocks, of a number on the left with one on the right.
 *
 * Limits: blocks of at most 2^16 rows, so that any two codes of theirs make one of 32 bits.
 */
export function joinCodes(
  left: RowCodes,
  right: RowCodes,
  mask: Uint8Array,
  numberOf: (leftNumber: number, rightNumber: number) => number,
): RowCodes {
  const codesMax = Math.max(CODES_FEW, CODES_PER_ROW_MAX * mask.length);
  if (left.codeCount * right.codeCount <= codesMax) return new JointCodes(left, right, numberOf);
  const joint = new JointCodes(compactCodes(left, mask), compactCodes(right, mask), numberOf);
  return joint.codeCount <= codesMax ? joint : compactSparseCodes(joint, mask);
}

/** The same with only the codes that matching rows have, as they are met. */
function compactCodes(all: RowCodes, mask: Uint8Array): RowCodes {
  const codes = all.codes();
  const renumbered = new Int32Array(all.codeCount).fill(-1);
  const compact = new Uint32Array(codes.length);
  const known: number[] = [];
  for (let row = 0; row < codes.length; row++) {
    if (mask[row] === 0) continue;
    const code = codes[row];
    if (renumbered[code] < 0) renumbered[code] = known.push(code) - 1;
    compact[row] = renumbered[code];
  }
  return compacted(all, compact, known);
}

/** The same where there are too many codes for an array over them. */
function compactSparseCodes(all: RowCodes, mask: Uint8Array): RowCodes {
  const codes = all.codes();
  const renumbered = new Map<number, number>();
  const compact = new Uint32Array(codes.length);
  const known: number[] = [];
  for (let row = 0; row < codes.length; row++) {
    if (mask[row] === 0) continue;
    const code = codes[row];
    let number = renumbered.get(code);
    if (number === undefined) {
      number = known.push(code) - 1;
      renumbered.set(code, number);
    }
    compact[row] = number;
  }
  return compacted(all, compact, known);
}

function compacted(all: RowCodes, codes: Uint32Array, known: readonly number[]): RowCodes {
  return new ArrayCodes(codes, Math.max(1, known.length), (code) => all.numberOf(known[code]));
}
