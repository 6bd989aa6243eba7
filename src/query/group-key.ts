import { parseDurationNs } from "../core/time.ts";
import type { GroupKey } from "../log-store/log-store.ts";
import { checkSearchable, fieldName, printField, readField } from "./fields.ts";
import type { Scanner } from "./lexer.ts";

/** `node, attributes.code, time(1m)`: one key or more. */
export function readGroupKeys(scanner: Scanner): readonly GroupKey[] {
  const keys: GroupKey[] = [];
  do keys.push(readGroupKey(scanner, keys));
  while (acceptComma(scanner));
  return keys;
}

/** `by KEYS`, or nothing. */
export function readBy(scanner: Scanner): readonly GroupKey[] {
  scanner.skipSpace();
  return acceptWord(scanner, "by") ? readGroupKeys(scanner) : [];
}

export function printBy(by: readonly GroupKey[]): string {
  return by.length === 0 ? "" : ` by ${printGroupKeys(by)}`;
}

export function printGroupKeys(keys: readonly GroupKey[]): string {
  return keys
    .map((key) =>
      key.kind === "time" ? `time(${printDuration(key.intervalNs)})` : printField(key.field),
    )
    .join(", ");
}

/** Takes a comma, with spaces around it. */
export function acceptComma(scanner: Scanner): boolean {
  scanner.skipSpace();
  return scanner.accept(",");
}

const WORD = /[A-Za-z]+/y;

/** Takes a lower-case word of the pipes' grammar, such as `by`. */
export function acceptWord(scanner: Scanner, word: string): boolean {
  const start = scanner.position;
  if (scanner.read(WORD) === word) return true;
  scanner.position = start;
  return false;
}

/** Throws where two columns would have one name: an object cannot hold both. */
export function checkNewName(
  scanner: Scanner,
  name: { readonly text: string; readonly position: number },
  taken: readonly string[],
): void {
  if (!taken.includes(name.text)) return;
  throw scanner.error(
    `two columns would be named "${name.text}": leave one out, or name it with "as"`,
    name.position,
  );
}

function readGroupKey(scanner: Scanner, before: readonly GroupKey[]): GroupKey {
  scanner.skipSpace();
  const position = scanner.position;
  const key = readTimeKey(scanner) ?? readFieldKey(scanner);
  checkNewName(
    scanner,
    { text: key.name, position },
    before.map((other) => other.name),
  );
  return key;
}

function readFieldKey(scanner: Scanner): GroupKey {
  const field = readField(scanner);
  if (field === undefined) {
    throw scanner.error("a field to group by is missing here, such as node or time(1m)");
  }
  checkSearchable(scanner, field);
  return { kind: "field", field: field.ref, name: fieldName(field.ref) };
}

const TIME = /(?:time|timestamp)\b(?![.\-/])/y;
const INTERVAL = /\s*\(\s*([0-9A-Za-z]+)\s*\)/y;

function readTimeKey(scanner: Scanner): GroupKey | undefined {
  if (scanner.read(TIME) === undefined) return undefined;
  const position = scanner.position;
  const interval = scanner.read(INTERVAL)?.replaceAll(/[\s()]/g, "");
  const intervalNs = interval === undefined ? undefined : parseDurationNs(interval);
  if (intervalNs === undefined || intervalNs === 0n) {
    throw scanner.error("give the length of an interval, as in time(1m) or time(500ms)", position);
  }
  return { kind: "time", intervalNs, name: "time" };
}

const UNITS = [
  ["w", 604_800_000_000_000n],
  ["d", 86_400_000_000_000n],
  ["h", 3_600_000_000_000n],
  ["m", 60_000_000_000n],
  ["s", 1_000_000_000n],
  ["ms", 1_000_000n],
  ["us", 1_000n],
  ["ns", 1n],
] as const;

function printDuration(ns: bigint): string {
  const [unit, size] = UNITS.find(([, unitNs]) => ns % unitNs === 0n) ?? ["ns", 1n];
  return `${ns / size}${unit}`;
}
