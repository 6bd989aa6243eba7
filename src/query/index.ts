export type { ExportFormat, ExportOptions } from "./export.ts";
export { EXPORT_FORMATS, exportEntries } from "./export.ts";
export { parseFilterFlag } from "./filter-flags.ts";
export { parseFilter } from "./parse-filter.ts";
export type { Query } from "./parse-query.ts";
export { outputColumns, parseQuery, printQuery } from "./parse-query.ts";
export { printFilter } from "./print-filter.ts";
export type { OutputBatch, QueryEnd, RunOptions } from "./run-query.ts";
export { runQuery } from "./run-query.ts";
