/** Types and pure functions that the other folders speak in. */
export type { AnyValue, AttributeMap, Json } from "./any-value.ts";
export { anyValueToJson, anyValueToText } from "./any-value.ts";
export type { Clock } from "./clock.ts";
export { systemClock } from "./clock.ts";
export type { LogEntry, PointEntry, SpanEntry } from "./entry.ts";
export { AppError, ERRORS, type ErrorCode } from "./errors.ts";
export type { FieldRef, FieldTest, Filter, TextMatch } from "./filter.ts";
export type { LogRecord, Resource, Scope, Signal } from "./record.ts";
export { ALL_TIME, formatUnixNs, parseTimeText, type TimeRange } from "./time.ts";
