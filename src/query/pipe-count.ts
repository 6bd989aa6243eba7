import type { GroupKey } from "../log-store/log-store.ts";
import { checkNewName, printBy, readBy } from "./group-key.ts";
import type { AggregatingPipeSpec } from "./pipe.ts";

/** `count by node, level`: how many records each group has. */
export interface CountPipe {
  readonly kind: "count";
  readonly by: readonly GroupKey[];
}

const COUNT = { kind: "count", name: "count" } as const;

export const countPipe: AggregatingPipeSpec<CountPipe> = {
  keyword: "count",
  usage: "count by FIELD",
  parse(scanner) {
    const position = scanner.position;
    // `count()` is what `stats` calls it.
    scanner.read(/\s*\(\s*\)/y);
    const by = readBy(scanner);
    const taken = by.map((key) => key.name);
    checkNewName(scanner, { text: COUNT.name, position }, taken);
    return { kind: "count", by };
  },
  print: ({ by }) => `count${printBy(by)}`,
  columns: ({ by }) => [...by.map((key) => key.name), COUNT.name],
  plan: ({ by }) => ({ by, stats: [COUNT] }),
};
