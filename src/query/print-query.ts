import type { Query } from "./parse-query.ts";
import { printPipe } from "./pipes.ts";
import { printFilter } from "./print-filter.ts";

/** A query in the language; reading it gives an equal query. */
export function printQuery({ filter, pipes }: Query): string {
  return [printFilter(filter), ...pipes.map(printPipe)].join(" | ");
}
