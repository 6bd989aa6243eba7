import { once } from "node:events";
import type { ClientHttp2Session, IncomingHttpHeaders } from "node:http2";
import http2 from "node:http2";
import type { ReceiverAddress } from "../../src/collector/otlp-receiver.ts";

export const LOGS_PATH = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

export interface GrpcAnswer {
  readonly httpStatus: number;
  /** Of the trailers, or of the headers where there are only those. */
  readonly code: number;
  readonly message: string;
  readonly details: Buffer;
  /** The response's frames. */
  readonly data: Buffer;
}

export interface GrpcCall {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Frames, as they go over the wire. */
  readonly frames?: readonly Uint8Array[];
  /** Leave the request open after the frames. */
  readonly isOpen?: boolean;
}

/** Connects, and closes once `use` has its result. */
export async function withSession<T>(
  address: ReceiverAddress,
  use: (session: ClientHttp2Session) => Promise<T>,
): Promise<T> {
  const session = http2.connect(`http://${address.host}:${address.port}`);
  session.on("error", () => {});
  await once(session, "connect");
  try {
    return await use(session);
  } finally {
    session.destroy();
  }
}

/** A call over raw HTTP/2 frames, so that also what no client library sends can be sent. */
export function callRaw(session: ClientHttp2Session, options: GrpcCall): Promise<GrpcAnswer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": options.path ?? LOGS_PATH,
      "content-type": "application/grpc",
      te: "trailers",
      ...options.headers,
    });
    let headers: IncomingHttpHeaders = {};
    let httpStatus = 0;
    const chunks: Buffer[] = [];
    stream.on("response", (received) => {
      httpStatus = received[":status"] ?? 0;
      headers = { ...headers, ...received };
    });
    stream.on("trailers", (trailers: IncomingHttpHeaders) => {
      headers = { ...headers, ...trailers };
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      const details = textOf(headers["grpc-status-details-bin"]);
      resolve({
        httpStatus,
        code: Number(headers["grpc-status"] ?? -1),
        message: decodeURIComponent(textOf(headers["grpc-message"])),
        details: Buffer.from(details, "base64"),
        data: Buffer.concat(chunks),
      });
    });
    for (const bytes of options.frames ?? []) stream.write(bytes);
    if (options.isOpen !== true) stream.end();
  });
}

/** One call on a connection of its own. */
export function call(address: ReceiverAddress, options: GrpcCall): Promise<GrpcAnswer> {
  return withSession(address, (session) => callRaw(session, options));
}

/** A length-prefixed message; `lengthBytes` may claim another length than it has. */
export function frame(
  message: Uint8Array | string,
  { flag = 0, lengthBytes }: { readonly flag?: number; readonly lengthBytes?: number } = {},
): Buffer {
  const body = Buffer.from(message);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flag, 0);
  prefix.writeUInt32BE(lengthBytes ?? body.length, 1);
  return Buffer.concat([prefix, body]);
}

function textOf(value: string | readonly string[] | undefined): string {
  return typeof value === "string" ? value : "";
}
