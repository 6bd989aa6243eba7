/** A query: a filter, then pipes, each behind a bar: `level>=warn | count by node | limit 5`. */
import type { Filter } from "../core/filter.ts";
import type { KnownColumns } from "./column.ts";
import { Scanner } from "./lexer.ts";
import { readFilter } from "./parse-filter.ts";
import type { Pipe } from "./pipes.ts";
import { columnsAfter, isAggregating, PIPES, printPipe } from "./pipes.ts";
import { printFilter } from "./print-filter.ts";
import { didYouMean } from "./syntax-error.ts";

/** Plain data, so that it can cross to a worker. */
export interface Query {
  readonly filter: Filter;
  /** An aggregating pipe, if there is one, comes first. */
  readonly pipes: readonly Pipe[];
}

/**
 * Reads a query. An empty text is every record.
 *
 * Errors: `QUERY_SYNTAX` with the position, the query with a caret, and what would be right.
 * Source: docs/query-language.md
 */
export function parseQuery(text: string): Query {
  const scanner = new Scanner(text);
  const filter = readFilter(scanner);
  const pipes: Pipe[] = [];
  let known: KnownColumns;
  while (scanner.accept("|")) {
    const pipe = readPipe(scanner, pipes, known);
    pipes.push(pipe);
    known = columnsAfter(pipe, known);
  }
  return { filter, pipes };
}

/** A query in the language; reading it gives an equal query. */
export function printQuery({ filter, pipes }: Query): string {
  return [printFilter(filter), ...pipes.map(printPipe)].join(" | ");
}

/** The keys of every row that a query gives; undefined where rows are whole entries. */
export function outputColumns({ pipes }: Query): readonly string[] | undefined {
  let known: KnownColumns;
  for (const pipe of pipes) known = columnsAfter(pipe, known);
  return known;
}

function readPipe(scanner: Scanner, before: readonly Pipe[], known: KnownColumns): Pipe {
  scanner.skipSpace();
  const position = scanner.position;
  const keyword = scanner.readName() ?? "";
  const spec = PIPES.get(keyword);
  if (spec === undefined) throw refuseKeyword(scanner, keyword, position);
  const pipe = spec.parse(scanner, known);
  if (isAggregating(pipe) && before.length > 0) {
    throw scanner.error(
      `"${keyword}" counts entries, so it stands right behind the filter: put "${before[0].kind}" after it, or leave one out`,
      position,
    );
  }
  scanner.skipSpace();
  if (!scanner.isAtEnd && !scanner.startsWith("|")) {
    throw scanner.error(
      `"${keyword}" does not go on like this: write ${spec.usage}, and "|" before another pipe`,
    );
  }
  return pipe;
}

function refuseKeyword(scanner: Scanner, keyword: string, position: number): Error {
  const names = [...PIPES.keys()];
  if (scanner.startsWith("|")) {
    return scanner.error('write OR where one of two must match; "|" begins a pipe', position);
  }
  const what = keyword === "" ? "a pipe is missing here" : `there is no pipe "${keyword}"`;
  return scanner.error(`${what}${didYouMean(keyword, names)}: use ${names.join(", ")}`, position);
}
