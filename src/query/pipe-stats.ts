import type { GroupKey, Stat } from "../log-store/log-store.ts";
import { checkSearchable, fieldName, printField, printName, readField } from "./fields.ts";
import { acceptComma, acceptWord, checkNewName, printBy, readBy } from "./group-key.ts";
import type { Scanner } from "./lexer.ts";
import type { AggregatingPipeSpec } from "./pipe.ts";
import { didYouMean } from "./syntax-error.ts";

/** `stats count(), avg(latency_ms) as mean by node`: several figures a group. */
export interface StatsPipe {
  readonly kind: "stats";
  readonly stats: readonly Stat[];
  readonly by: readonly GroupKey[];
}

const FUNCTIONS = ["count", "sum", "min", "max", "avg"] as const satisfies readonly Stat["kind"][];

export const statsPipe: AggregatingPipeSpec<StatsPipe> = {
  keyword: "stats",
  usage: "stats count(), avg(FIELD) by FIELD",
  parse(scanner) {
    const stats: Stat[] = [];
    const positions: number[] = [];
    do {
      scanner.skipSpace();
      positions.push(scanner.position);
      stats.push(readStat(scanner));
    } while (acceptComma(scanner));
    const by = readBy(scanner);
    const taken = by.map((key) => key.name);
    for (const [index, { name }] of stats.entries()) {
      checkNewName(scanner, { text: name, position: positions[index] }, taken);
      taken.push(name);
    }
    return { kind: "stats", stats, by };
  },
  print: ({ stats, by }) => `stats ${stats.map(printStat).join(", ")}${printBy(by)}`,
  columns: ({ stats, by }) => [...by, ...stats].map(({ name }) => name),
  plan: ({ stats, by }) => ({ by, stats }),
};

function readStat(scanner: Scanner): Stat {
  const position = scanner.position;
  const word = scanner.readName() ?? "";
  const kind = FUNCTIONS.find((candidate) => candidate === word);
  scanner.skipSpace();
  if (kind === undefined || !scanner.accept("(")) {
    throw scanner.error(
      `a function is missing here${didYouMean(word, FUNCTIONS)}: count(), sum(FIELD), min(FIELD), max(FIELD) or avg(FIELD)`,
      position,
    );
  }
  scanner.skipSpace();
  const field = kind === "count" ? undefined : readStatField(scanner, kind);
  scanner.skipSpace();
  if (!scanner.accept(")")) throw scanner.error(`")" is missing after "${word}("`);
  const named = readAs(scanner);
  if (kind === "count" || field === undefined) return { kind: "count", name: named ?? "count" };
  return { kind, field, name: named ?? `${kind}_${fieldName(field)}` };
}

function readStatField(scanner: Scanner, kind: string): Exclude<Stat, { kind: "count" }>["field"] {
  const field = readField(scanner);
  if (field === undefined) throw scanner.error(`${kind} needs a field, as in ${kind}(latency_ms)`);
  checkSearchable(scanner, field);
  return field.ref;
}

function readAs(scanner: Scanner): string | undefined {
  scanner.skipSpace();
  if (!acceptWord(scanner, "as")) return undefined;
  scanner.skipSpace();
  const name = scanner.startsWith('"') ? scanner.readQuoted() : scanner.readName();
  if (name === undefined || name === "") {
    throw scanner.error('a name is missing after "as": letters and digits, or a text in quotes');
  }
  return name;
}

function printStat(stat: Stat): string {
  const field = stat.kind === "count" ? undefined : stat.field;
  const usual = field === undefined ? "count" : `${stat.kind}_${fieldName(field)}`;
  const call = `${stat.kind}(${field === undefined ? "" : printField(field)})`;
  return stat.name === usual ? call : `${call} as ${printName(stat.name)}`;
}
