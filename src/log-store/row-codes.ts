/**
 * A small number for each row of a block, which stands for what the row has in one group key or in
 * several. Rows with the same code have the same value there; codes mean nothing in other blocks.
 */
export interface RowCodes {
  /** Rows that do not match may have any code below `codeCount`. */
  readonly codes: Uint32Array;
  readonly codeCount: number;
  /** The number that the code's value has in all blocks. Asked only for codes of matching rows. */
  readonly numberOf: (code: number) => number;
}

/** All rows have the same value, number 0. */
export function uniformCodes(rows: number): RowCodes {
  return { codes: new Uint32Array(rows), codeCount: 1, numberOf: () => 0 };
}

/** Arrays over codes stay this small beside the rows that are counted. */
const CODES_PER_ROW_MAX = 4;

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
  numberOf: (left: number, right: number) => number,
): RowCodes {
  const codesMax = CODES_PER_ROW_MAX * mask.length;
  const isLarge = left.codeCount * right.codeCount > codesMax;
  const outer = isLarge ? compactCodes(left, mask) : left;
  const inner = isLarge ? compactCodes(right, mask) : right;
  const radix = inner.codeCount;
  const codes = new Uint32Array(mask.length);
  for (let row = 0; row < codes.length; row++) {
    codes[row] = outer.codes[row] * radix + inner.codes[row];
  }
  const joined: RowCodes = {
    codes,
    codeCount: outer.codeCount * radix,
    numberOf: (code) =>
      numberOf(outer.numberOf(Math.floor(code / radix)), inner.numberOf(code % radix)),
  };
  return joined.codeCount > codesMax ? compactSparseCodes(joined, mask) : joined;
}

/** The same with only the codes that matching rows have, as they are met. */
function compactCodes({ codes, codeCount, numberOf }: RowCodes, mask: Uint8Array): RowCodes {
  const renumbered = new Int32Array(codeCount).fill(-1);
  const compact = new Uint32Array(codes.length);
  const known: number[] = [];
  for (let row = 0; row < codes.length; row++) {
    if (mask[row] === 0) continue;
    const code = codes[row];
    if (renumbered[code] < 0) renumbered[code] = known.push(code) - 1;
    compact[row] = renumbered[code];
  }
  return compacted(compact, known, numberOf);
}

/** The same where there are too many codes for an array over them. */
function compactSparseCodes({ codes, numberOf }: RowCodes, mask: Uint8Array): RowCodes {
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
  return compacted(compact, known, numberOf);
}

function compacted(
  codes: Uint32Array,
  known: readonly number[],
  numberOf: RowCodes["numberOf"],
): RowCodes {
  return {
    codes,
    codeCount: Math.max(1, known.length),
    numberOf: (code) => numberOf(known[code]),
  };
}
