/**
 * What each transport promises. docs/transports.md prints this table, and a test keeps the two equal.
 * Apart from the transports, so that reading it loads none of them.
 */
import { PAYLOAD_BYTES_MAX, type TransportGuarantees } from "./transport.ts";

const DIRECT_RECONNECT =
  "tried again with growing delay; what waits is sent then, what was under way is counted as lost";

export const GUARANTEES = {
  socket: {
    kind: "socket",
    order: "per link",
    delivery: "at most once",
    payloadBytesMax: PAYLOAD_BYTES_MAX,
    slowReceiver: "the sender waits",
    hasWildcards: false,
    onReconnect: DIRECT_RECONNECT,
  },
  tcp: {
    kind: "tcp",
    order: "per link",
    delivery: "at most once",
    payloadBytesMax: PAYLOAD_BYTES_MAX,
    slowReceiver: "the sender waits",
    hasWildcards: false,
    onReconnect: DIRECT_RECONNECT,
  },
  websocket: {
    kind: "websocket",
    order: "per link",
    delivery: "at most once",
    payloadBytesMax: PAYLOAD_BYTES_MAX,
    slowReceiver: "the sender waits",
    hasWildcards: false,
    onReconnect: DIRECT_RECONNECT,
  },
  grpc: {
    kind: "grpc",
    order: "per link",
    delivery: "at most once",
    payloadBytesMax: PAYLOAD_BYTES_MAX,
    slowReceiver: "the sender waits",
    hasWildcards: false,
    onReconnect: DIRECT_RECONNECT,
  },
  "redis, events": {
    kind: "redis",
    order: "per sender and topic",
    delivery: "at most once",
    payloadBytesMax: 1024 * 1024,
    slowReceiver: "dropped and counted",
    hasWildcards: true,
    onReconnect:
      "tried again with growing delay; what waits is sent then; what was published meanwhile is lost, and counted by the gaps",
  },
  "redis, tasks": {
    kind: "redis",
    order: "per task, not among workers",
    delivery: "at least once",
    payloadBytesMax: 64 * 1024 * 1024,
    slowReceiver: "kept at the broker",
    hasWildcards: false,
    onReconnect:
      "tried again with growing delay; what was not confirmed is sent again, and may arrive twice",
  },
  mqtt: {
    kind: "mqtt",
    order: "per sender and topic",
    delivery: "at least once",
    payloadBytesMax: 16 * 1024 * 1024,
    slowReceiver: "kept at the broker",
    hasWildcards: true,
    onReconnect:
      "tried again with growing delay; what was not confirmed is sent again, and may arrive twice; the broker keeps five minutes for a receiver",
  },
} as const satisfies Readonly<Record<string, TransportGuarantees>>;
