import { AppError } from "../../core/errors.ts";
import { GUARANTEES } from "./guarantees.ts";
import type { RedisTransportOptions } from "./redis.ts";
import type { SocketTransportOptions } from "./socket.ts";
import type { TcpTransportOptions } from "./tcp.ts";
import type { Transport } from "./transport.ts";

/** Of all transports; each takes what concerns it. */
export interface TransportOptions
  extends SocketTransportOptions, TcpTransportOptions, RedisTransportOptions {}

/**
 * The transport of a kind, as `transport:` in a dataflow file names it. Its code is loaded on first use: a node
 * that uses sockets alone pays for nothing else.
 *
 * Errors: `CONFIG_INVALID` for a kind that there is not.
 */
export async function openTransport(
  kind: string,
  options: TransportOptions = {},
): Promise<Transport> {
  switch (kind) {
    case "socket": {
      const { SocketTransport } = await import("./socket.ts");
      return new SocketTransport(options);
    }
    case "tcp": {
      const { TcpTransport } = await import("./tcp.ts");
      return new TcpTransport(options);
    }
    case "websocket": {
      const { WebSocketTransport } = await import("./websocket.ts");
      return new WebSocketTransport(options);
    }
    case "grpc": {
      const { GrpcTransport } = await import("./grpc.ts");
      return new GrpcTransport(options);
    }
    case "redis": {
      const { RedisTransport } = await import("./redis.ts");
      return new RedisTransport(options);
    }
    case "mqtt": {
      const { MqttTransport } = await import("./mqtt.ts");
      return new MqttTransport(options);
    }
    default:
      throw new AppError(
        "CONFIG_INVALID",
        `there is no transport "${kind}"; give one of ${KINDS.join(", ")}`,
      );
  }
}

const KINDS = [...new Set(Object.values(GUARANTEES).map(({ kind }) => kind))];
