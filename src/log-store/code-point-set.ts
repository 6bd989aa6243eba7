/**
 * A set of Unicode code points: pairs of first and last, both in the set, ascending and apart.
 *
 * Digits and lower case letters are `[0x30, 0x39, 0x61, 0x7a]`; the empty set is `[]`.
 */
export type CodePointSet = readonly number[];

const CODE_POINT_MAX = 0x10ffff;

/** Lower case code points that Unicode's simple folding makes one with an ASCII letter. */
const FOLDS_TO_ASCII: ReadonlyMap<number, number> = new Map([
  [0x6b, 0x212a], // k and the Kelvin sign
  [0x73, 0x017f], // s and the long s
]);

/** Every code point. */
export const EVERY_CODE_POINT: CodePointSet = [0, CODE_POINT_MAX];

/** What `.` stands for unless `s` is set. */
export const EVERY_BUT_NEWLINE: CodePointSet = [0, 9, 11, CODE_POINT_MAX];

export const NEWLINE: CodePointSet = [10, 10];

/** What `\w` stands for. */
export const WORD: CodePointSet = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];

/** The union of any ranges, in any order. */
export function codePointSet(ranges: readonly number[]): CodePointSet {
  const pairs: (readonly [number, number])[] = [];
  for (let index = 0; index < ranges.length; index += 2) {
    pairs.push([ranges[index], ranges[index + 1]]);
  }
  pairs.sort(([left], [right]) => left - right);
  const set: number[] = [];
  for (const [first, last] of pairs) {
    const end = set.length - 1;
    if (end > 0 && first <= set[end] + 1) set[end] = Math.max(set[end], last);
    else set.push(first, last);
  }
  return set;
}

/** All code points that are not in the set. */
export function complementOf(set: CodePointSet): CodePointSet {
  const rest: number[] = [];
  let next = 0;
  for (let index = 0; index < set.length; index += 2) {
    if (set[index] > next) rest.push(next, set[index] - 1);
    next = set[index + 1] + 1;
  }
  if (next <= CODE_POINT_MAX) rest.push(next, CODE_POINT_MAX);
  return rest;
}

/** Whether no code point is in both. */
export function areDisjoint(left: CodePointSet, right: CodePointSet): boolean {
  let at = 0;
  for (let index = 0; index < left.length; index += 2) {
    while (at < right.length && right[at + 1] < left[index]) at += 2;
    if (at < right.length && right[at] <= left[index + 1]) return false;
  }
  return true;
}

/** Whether `inner` holds nothing that `outer` does not. */
export function isWithin(inner: CodePointSet, outer: CodePointSet): boolean {
  return areDisjoint(inner, complementOf(outer));
}

/** With every case of each ASCII character; undefined where one is not ASCII. */
export function foldAsciiSet(set: CodePointSet): CodePointSet | undefined {
  if (set.length > 0 && set[set.length - 1] > 0x7f) return undefined;
  const ranges = [...set];
  for (let lower = 0x61; lower <= 0x7a; lower++) {
    const upper = lower - 0x20;
    if (areDisjoint(set, [lower, lower]) && areDisjoint(set, [upper, upper])) continue;
    ranges.push(lower, lower, upper, upper);
    const other = FOLDS_TO_ASCII.get(lower);
    if (other !== undefined) ranges.push(other, other);
  }
  return codePointSet(ranges);
}
