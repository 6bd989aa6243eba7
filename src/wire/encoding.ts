/** The two encodings that OTLP/HTTP has; gRPC has protobuf alone. */
export type Encoding = "protobuf" | "json";
