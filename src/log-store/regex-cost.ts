import type { CodePointSet } from "./code-point-set.ts";
import {
  areDisjoint,
  codePointSet,
  EVERY_CODE_POINT,
  isWithin,
  NEWLINE,
  WORD,
} from "./code-point-set.ts";
import type { RegexAssertion, RegexNode } from "./regex-syntax.ts";
import { everySet } from "./regex-syntax.ts";

/**
 * How much a backtracking search for a sequence may cost.
 *
 * A step is one node of the tree tried at one place of the text. The search starts at every place;
 * all repeats are lazy. Between the unbounded repeats ("loops") stand segments that try a bounded
 * number of steps, so only loops can make one start cost more than a constant.
 *
 * A loop `X*` is allowed where the segment before it must match, at a bounded distance `tail` before
 * the loop, something that X is not (or a place where no X can come before). So all that enter the
 * loop within one run of X's do so at `tail + 1` places of the run, for each way through the
 * segment, and each place of the text is visited by a bounded number of starts: `visits`. At each
 * visit the segment behind the loop is tried.
 *
 * The bound is the sum over all segments and loops of steps times visits. `(a+)+b` and `ba+a+c`
 * have none; `took \d{4,} ms` has some tens.
 */
export function stepsPerPlace(items: readonly RegexNode[]): number {
  let steps = 0;
  let visits = 1;
  let start = 0;
  for (const [index, item] of items.entries()) {
    const loop = loopSet(item);
    if (loop === undefined) continue;
    const segment = items.slice(start, index);
    const shape = measureAll(segment, entryOfAll(items.slice(index)));
    const tail = tailAfterGuard(segment, loop);
    if (tail === undefined) return Infinity;
    steps += visits * shape.steps;
    visits *= (tail + 1) * (shape.longest - shape.shortest + 1) * shape.paths;
    steps += 2 * visits;
    start = index + 1;
  }
  return steps + visits * measureAll(items.slice(start), NOTHING).steps;
}

/** How many code points a match has; undefined where matches differ in that. */
export function fixedLength(items: readonly RegexNode[]): number | undefined {
  const { shortest, longest } = measureAll(items, NOTHING);
  return shortest === longest ? longest : undefined;
}

/** The set of an unbounded repeat of one code point. */
function loopSet(node: RegexNode): CodePointSet | undefined {
  const isLoop = node.kind === "repeat" && node.min === 0 && node.max === Infinity;
  return isLoop && node.item.kind === "set" ? node.item.set : undefined;
}

/** How a part of a pattern begins. */
interface Entry {
  /** The code points that it can begin with. */
  readonly first: CodePointSet;
  /** Steps until it has taken its first code point, or it is clear that it cannot. */
  readonly steps: number;
  readonly isNullable: boolean;
}

const NOTHING: Entry = { first: [], steps: 0, isNullable: true };

function entryOf(node: RegexNode): Entry {
  switch (node.kind) {
    case "set":
      return { first: node.set ?? [], steps: 1, isNullable: false };
    case "assertion":
      return { ...NOTHING, steps: 1 };
    case "sequence":
      return entryOfAll(node.items);
    case "choice": {
      const entries = node.options.map(entryOf);
      return {
        first: codePointSet(entries.flatMap(({ first }) => first)),
        steps: 1 + sum(entries.map(({ steps }) => steps)),
        isNullable: entries.some(({ isNullable }) => isNullable),
      };
    }
    case "repeat": {
      const item = entryOf(node.item);
      return { ...item, steps: 1 + item.steps, isNullable: node.min === 0 || item.isNullable };
    }
  }
}

function entryOfAll(items: readonly RegexNode[], follow = NOTHING): Entry {
  return items.reduceRight((rest, item) => followedBy(entryOf(item), rest), follow);
}

function followedBy(entry: Entry, rest: Entry): Entry {
  if (!entry.isNullable) return entry;
  return {
    first: codePointSet([...entry.first, ...rest.first]),
    steps: entry.steps + rest.steps,
    isNullable: rest.isNullable,
  };
}

/** What a bounded part costs from one place. */
interface Shape {
  readonly steps: number;
  /** In how many ways it can match from there. */
  readonly paths: number;
  /** Code points of its matches. */
  readonly shortest: number;
  readonly longest: number;
}

function measure(node: RegexNode, follow: Entry): Shape {
  switch (node.kind) {
    case "set":
      return { steps: 1, paths: 1, shortest: 1, longest: 1 };
    case "assertion":
      return { steps: 1, paths: 1, shortest: 0, longest: 0 };
    case "sequence":
      return measureAll(node.items, follow);
    case "choice":
      return measureChoice(node.options, follow);
    case "repeat":
      return measureRepeat(node, follow);
  }
}

function measureAll(items: readonly RegexNode[], follow: Entry): Shape {
  let all: Shape = { steps: 0, paths: 1, shortest: 0, longest: 0 };
  for (const [index, item] of items.entries()) {
    const shape = measure(item, entryOfAll(items.slice(index + 1), follow));
    all = {
      steps: all.steps + all.paths * shape.steps,
      paths: all.paths * shape.paths,
      shortest: all.shortest + shape.shortest,
      longest: all.longest + shape.longest,
    };
  }
  return all;
}

/** At most one of several options can match where no two begin alike and none is empty. */
function measureChoice(options: readonly RegexNode[], follow: Entry): Shape {
  const shapes = options.map((option) => measure(option, follow));
  const entries = options.map(entryOf);
  const isSingle = entries.every(
    ({ first, isNullable }, index) =>
      !isNullable && entries.slice(index + 1).every((other) => areDisjoint(first, other.first)),
  );
  const paths = shapes.map((shape) => shape.paths);
  return {
    steps: options.length + sum(shapes.map(({ steps }) => steps)),
    paths: isSingle ? Math.max(...paths) : sum(paths),
    shortest: Math.min(...shapes.map(({ shortest }) => shortest)),
    longest: Math.max(...shapes.map(({ longest }) => longest)),
  };
}

function measureRepeat(
  { item, min, max }: Extract<RegexNode, { kind: "repeat" }>,
  follow: Entry,
): Shape {
  if (max === 0) return { steps: 1, paths: 1, shortest: 0, longest: 0 };
  if (max === Infinity) return { steps: Infinity, paths: Infinity, shortest: 0, longest: Infinity };
  const entry = entryOf(item);
  const shape = measure(item, followedBy({ ...entry, isNullable: true }, follow));
  const lengths = { shortest: min * shape.shortest, longest: max * shape.longest };
  // A repeat that cannot go on where the rest can begin is left at one place only.
  const isLeftOnce =
    shape.paths === 1 && !entry.isNullable && areDisjoint(entry.first, follow.first);
  if (min === max || isLeftOnce) {
    const paths = shape.paths ** max;
    const rounds = shape.paths === 1 ? max : paths * max;
    const leaving = min === max ? 0 : follow.steps;
    return { steps: 1 + rounds * (1 + shape.steps + leaving), paths, ...lengths };
  }
  let steps = 1;
  let paths = 0;
  for (let count = 0; count <= max; count++) {
    if (count < max) steps += shape.paths ** count * (1 + shape.steps);
    if (count >= min) paths += shape.paths ** count;
  }
  return { steps, paths, ...lengths };
}

/**
 * The most code points between the last thing in a segment that keeps a loop's characters from
 * standing before it, and the segment's end; undefined where there is no such thing. What can only
 * be the loop's own characters is not counted: it belongs to the run, which begins where it does.
 */
function tailAfterGuard(segment: readonly RegexNode[], loop: CodePointSet): number | undefined {
  let tail = 0;
  for (const item of segment.toReversed()) {
    const { longest } = measure(item, NOTHING);
    if (isGuard(item, loop)) return item.kind === "set" ? tail : tail + longest;
    if (!everySet(item, (set) => isWithin(set ?? EVERY_CODE_POINT, loop))) tail += longest;
  }
  return undefined;
}

function isGuard(node: RegexNode, loop: CodePointSet): boolean {
  switch (node.kind) {
    case "set":
      return areDisjoint(node.set ?? [], loop);
    case "assertion":
      return isGuardAssertion(node.assertion, loop);
    case "sequence":
      return node.items.some((item) => isGuard(item, loop));
    case "choice":
      return node.options.every((option) => isGuard(option, loop));
    case "repeat":
      return node.min > 0 && isGuard(node.item, loop);
  }
}

function isGuardAssertion(assertion: RegexAssertion, loop: CodePointSet): boolean {
  switch (assertion) {
    case "textStart":
      return true;
    case "lineStart":
      return areDisjoint(loop, NEWLINE);
    case "wordBoundary":
      return areDisjoint(loop, WORD) || isWithin(loop, WORD);
    case "textEnd":
    case "lineEnd":
    case "noWordBoundary":
      return false;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
