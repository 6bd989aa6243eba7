export type { Encoding } from "./encoding.ts";
export { encodeExportResponse, type ExportOutcome } from "./export-response.ts";
export {
  encodeLogsRequest,
  encodeMetricsRequest,
  encodeTracesRequest,
  type LogToEncode,
  type MetricToEncode,
  type NumberPointToEncode,
  type SpanToEncode,
} from "./otlp-encode.ts";
export { otlpJsonToProtobuf } from "./otlp-json.ts";
export { otlpProtobufToJson } from "./otlp-to-json.ts";
export {
  encodeStatus,
  type FieldViolation,
  GRPC_CODE,
  type GrpcCode,
  httpStatusOfGrpcCode,
  isRetryableGrpcCode,
  isRetryableHttpStatus,
} from "./rpc-status.ts";
export { WireError } from "./wire-error.ts";
