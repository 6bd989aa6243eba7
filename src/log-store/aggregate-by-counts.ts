import type { FieldRef, Filter } from "../core/filter.ts";
import type { Signal } from "../core/record.ts";
import { isEntryField } from "./field-column.ts";
import { MINUTE_NS } from "./header-counts.ts";
import type { AggregateRequest, GroupKey } from "./log-store.ts";

/**
 * Whether the joint counts of a block that lies wholly in the request's range answer the request:
 * where it only counts, and its filter and its keys look at nothing but what rows are counted by.
 * A time key's intervals must be whole minutes; they count from 1970, and minutes of UTC do too.
 */
export function canUseCounts({
  signal,
  filter,
  by,
  stats,
}: Pick<AggregateRequest, "signal" | "filter" | "by" | "stats">): boolean {
  return (
    stats.every(({ kind }) => kind === "count") &&
    by.every((key) => isKeyCounted(key, signal)) &&
    isFilterCounted(filter, signal)
  );
}

function isKeyCounted(key: GroupKey, signal: Signal): boolean {
  if (key.kind === "field") return isFieldCounted(key.field, signal);
  return key.intervalNs % BigInt(MINUTE_NS) === 0n;
}

function isFilterCounted(filter: Filter, signal: Signal): boolean {
  switch (filter.kind) {
    case "all":
    case "none":
    case "severity":
      return true;
    case "and":
    case "or":
      return filter.of.every((part) => isFilterCounted(part, signal));
    case "not":
      return isFilterCounted(filter.of, signal);
    case "field":
      return isFieldCounted(filter.field, signal);
    case "text":
      return false;
  }
}

/** Of an entry's own fields, those that its signal's rows are counted by. */
const COUNTED_FIELDS: ReadonlySet<string> = new Set(["name", "status"]);

/** The fields whose value depends on `COUNTED_COLUMNS` alone. */
function isFieldCounted(field: FieldRef, signal: Signal): boolean {
  switch (field.target) {
    case "node":
    case "dataflow":
    case "resource":
      return true;
    case "level":
      return signal === "logs";
    case "event":
      return signal === "traces";
    case "logger":
    case "message":
    case "trace_id":
    case "span_id":
    case "attribute":
      return false;
    case "any":
      return isEntryField(signal, field.key) && COUNTED_FIELDS.has(field.key);
  }
}
