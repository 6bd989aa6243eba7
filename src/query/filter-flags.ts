import type { Filter } from "../core/filter.ts";
import { severityBandOf } from "../core/severity.ts";
import { parseFilter } from "./parse-filter.ts";

/**
 * Reads the value of `--filter`: a lone name of a severity means that level and above, anything
 * else is the query language.
 *
 * Errors: `QUERY_SYNTAX`.
 * Pitfalls: to search for the word "error" write `--filter '"error"'`, or use `--grep`.
 */
export function parseFilterFlag(text: string): Filter {
  const band = severityBandOf(text.trim());
  return band === undefined ? parseFilter(text) : { kind: "severity", min: band.min, max: 24 };
}
