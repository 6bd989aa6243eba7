import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import {
  type Metadata,
  Metadata as NewMetadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerInterceptor,
  ServerInterceptingCall,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { type AnyDefinition, loadSync, type ServiceDefinition } from "@grpc/proto-loader";
import { AppError } from "../../core/errors.ts";
import {
  TASK_BYTES_MAX,
  TASK_HEAD_BYTES_MAX,
  TaskSchema,
  type Update,
} from "./dataflow-messages.ts";
import { readAuthorization } from "./process-token.ts";
import type { StandIn } from "./stand-in.ts";
import type { StandIns } from "./stand-ins.ts";
import { fromStruct, toStruct } from "./struct-value.ts";
import { failureOf, firstProblem, type StreamEnd, UpdateStream } from "./update-stream.ts";

const PROTO = fileURLToPath(
  new URL("../../../docs/proto/dora/dataflow/v1/dataflow.proto", import.meta.url),
);
/** Calls of one connection at a time: each may hold a task of the largest size. */
const CALLS_MAX = 32;
const WINDOW_BYTES = 4 * 1024 * 1024;

const STATUS_OF: Readonly<Record<string, status>> = {
  DAEMON_UNREACHABLE: status.UNAVAILABLE,
  FORMAT_MISMATCH: status.INVALID_ARGUMENT,
  MESSAGE_TOO_LARGE: status.RESOURCE_EXHAUSTED,
  METADATA_INVALID: status.INVALID_ARGUMENT,
  NODE_CLOSED: status.FAILED_PRECONDITION,
  NODE_REFUSED: status.UNAUTHENTICATED,
  OUTPUT_UNKNOWN: status.NOT_FOUND,
  REQUEST_INVALID: status.INVALID_ARGUMENT,
};

/** The service of docs/proto/dora/dataflow/v1/dataflow.proto, on connections that somebody else has accepted. */
export class GrpcService {
  readonly #injector: { injectConnection(socket: Socket): void };
  readonly #server: Server;

  constructor(standIns: StandIns) {
    this.#server = new Server({
      "grpc.max_receive_message_length": TASK_BYTES_MAX + TASK_HEAD_BYTES_MAX,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": CALLS_MAX,
      "grpc-node.flow_control_window": WINDOW_BYTES,
      interceptors: [authentication(standIns)],
    });
    this.#server.addService(loadService(), {
      SendTask: (
        call: ServerUnaryCall<unknown, unknown>,
        callback: sendUnaryData<unknown>,
      ): void => {
        void sendTask(standIns, call, callback);
      },
      StreamUpdates: (call: ServerDuplexStream<unknown, unknown>): void =>
        void streamUpdates(standIns, call),
    });
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  take(socket: Socket): void {
    this.#injector.injectConnection(socket);
  }

  close(): void {
    this.#server.forceShutdown();
  }
}

/** Fields of requests that are structs. */
const STRUCTS: ReadonlySet<string> = new Set(["metadata", "attributes"]);

/** Before a byte of a message is read. */
function authentication(standIns: StandIns): ServerInterceptor {
  return (_method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, proceed) => {
            findStandIn(standIns, metadata).then(
              () => proceed(metadata),
              (error: unknown) => call.sendStatus(statusOf(error)),
            );
          },
        }),
    });
}

async function findStandIn(standIns: StandIns, metadata: Metadata): Promise<StandIn> {
  const [given] = metadata.get("authorization");
  const identity = readAuthorization(given?.toString());
  if (identity !== undefined) return standIns.find(identity);
  throw new AppError("NODE_REFUSED", "the call does not show the token of a node's process", {
    hint: "send the metadata `authorization: Bearer $DORA_GATEWAY_TOKEN`",
  });
}

async function sendTask(
  standIns: StandIns,
  { metadata, request }: ServerUnaryCall<unknown, unknown>,
  answer: sendUnaryData<unknown>,
): Promise<void> {
  try {
    const standIn = await findStandIn(standIns, metadata);
    const task = TaskSchema.safeParse(withoutStructs(request));
    if (!task.success) throw new AppError("REQUEST_INVALID", firstProblem(task.error));
    answer(null, { sent: await standIn.send(task.data) });
  } catch (error) {
    answer(statusOf(error));
  }
}

async function streamUpdates(
  standIns: StandIns,
  call: ServerDuplexStream<unknown, unknown>,
): Promise<void> {
  // Its end is all that is looked at.
  call.on("error", () => {});
  let isGone = false;
  let stream: UpdateStream | undefined;
  const gone = Promise.withResolvers<void>();
  const lose = (): void => {
    isGone = true;
    gone.resolve();
    stream?.lose();
  };
  call.once("cancelled", lose);
  try {
    const standIn = await findStandIn(standIns, call.metadata);
    stream = new UpdateStream(standIn, {
      write: async (update, payload) => {
        if (isGone || call.write(messageOf(update, payload))) return;
        const drained = new Promise<void>((resolve) => call.once("drain", resolve));
        await Promise.race([drained, gone.promise]);
      },
      end: (end) => {
        isGone = true;
        gone.resolve();
        endCall(call, end);
      },
    });
    for await (const request of call) {
      if (isGone) return;
      await stream.take(fromMessage(request));
    }
    if (!isGone) await stream.finish();
  } catch (error) {
    // A call that was cancelled, or bytes that make no sense.
    if (!isGone) call.emit("error", statusOf(error));
    lose();
  }
}

function endCall(call: ServerDuplexStream<unknown, unknown>, end: StreamEnd): void {
  if (end.status === "finished") {
    call.end();
    return;
  }
  const code = end.status === "invalid" ? status.INVALID_ARGUMENT : status.ABORTED;
  call.emit("error", { code, details: end.reason });
}

function statusOf(error: unknown): {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
} {
  const { code, message } = failureOf(error);
  const metadata = new NewMetadata();
  metadata.set("dora-error", code);
  return { code: STATUS_OF[code] ?? status.INTERNAL, details: message, metadata };
}

function loadService(): ServiceDefinition {
  const loaded = loadSync(PROTO, { longs: String, enums: String });
  const service = loaded["dora.dataflow.v1.Dataflow"];
  if (service === undefined || !isService(service)) throw new TypeError(`no service in ${PROTO}`);
  return service;
}

function isService(definition: AnyDefinition): definition is ServiceDefinition {
  return "SendTask" in definition;
}

/** An update as the loader takes it. */
function messageOf(update: Update, payload: Uint8Array | undefined): object {
  if ("input" in update) {
    return { input: { ...update.input, metadata: toStruct(update.input.metadata), payload } };
  }
  if ("part" in update) return { part: { payload } };
  if ("welcome" in update) {
    return { welcome: { ...update.welcome, parameters: toStruct(update.welcome.parameters) } };
  }
  if (!("parametersChanged" in update)) return update;
  const { set, deleted, parameters } = update.parametersChanged;
  return {
    parametersChanged: { set: toStruct(set), deleted, parameters: toStruct(parameters) },
  };
}

/** A request in the form that all of the gateway reads. */
function fromMessage(request: unknown): unknown {
  if (typeof request !== "object" || request === null) return request;
  return Object.fromEntries(
    Object.entries(request).map(([key, value]) => [key, withoutStructs(value)]),
  );
}

function withoutStructs(message: unknown): unknown {
  if (typeof message !== "object" || message === null) return message;
  return Object.fromEntries(
    Object.entries(message).map(([key, value]) => [
      key,
      STRUCTS.has(key) ? fromStruct(value) : value,
    ]),
  );
}
