/**
 * A node without our library: a client of the service made from the proto file alone, and one over WebSocket.
 * Run as a process by the daemon; what it does, its first argument says. Prints a line of JSON for what it is told.
 */
import { credentials, loadPackageDefinition, Metadata } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";

const PROTO = fileURLToPath(
  new URL("../../../docs/proto/dora/dataflow/v1/dataflow.proto", import.meta.url),
);
const {
  DORA_GRPC_ENDPOINT = "",
  DORA_WEBSOCKET_ENDPOINT = "",
  DORA_GATEWAY_TOKEN = "",
} = process.env;

const say = (value) => console.log(JSON.stringify(value));

const limits = { "grpc.max_send_message_length": -1 };

function grpcClient(token = DORA_GATEWAY_TOKEN) {
  const loaded = loadPackageDefinition(
    loadSync(PROTO, { longs: String, enums: String, defaults: false, oneofs: true }),
  );
  const client = new loaded["dora"].dataflow.v1.Dataflow(
    DORA_GRPC_ENDPOINT.replace("http://", ""),
    credentials.createInsecure(),
    limits,
  );
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return {
    sendTask: (task) =>
      new Promise((resolve, reject) => {
        client["sendTask"](task, metadata, (error, status) =>
          error === null ? resolve(status) : reject(error),
        );
      }),
    stream: () => {
      const call = client["streamUpdates"](metadata);
      return {
        send: (request) => call.write(request),
        end: () => call.end(),
        updates: call,
      };
    },
  };
}

async function webSocketStream() {
  const socket = new WebSocket(DORA_WEBSOCKET_ENDPOINT, {
    headers: { authorization: `Bearer ${DORA_GATEWAY_TOKEN}` },
  });
  const updates = new ReadableStream({
    start(controller) {
      socket.on("message", (message, isBinary) => {
        const data = Buffer.from(message);
        if (!isBinary) return controller.enqueue(JSON.parse(data.toString()));
        const end = 4 + data.readUInt32LE();
        const update = JSON.parse(data.toString("utf8", 4, end));
        (update.input ?? update.part).payload = data.subarray(end);
        controller.enqueue(update);
      });
      socket.once("close", (code, reason) => {
        say({ closed: code, reason: reason.toString() });
        controller.close();
      });
      socket.once("error", (error) => controller.error(error));
    },
  });
  await new Promise((resolve) => socket.once("open", resolve));
  return {
    updates,
    send: (request) => {
      const payload = request["task"]?.payload;
      if (payload === undefined) return socket.send(JSON.stringify(request));
      const { payload: _, ...task } = request["task"];
      const json = Buffer.from(JSON.stringify({ task }));
      const length = Buffer.alloc(4);
      length.writeUInt32LE(json.length);
      socket.send(Buffer.concat([length, json, payload]));
    },
  };
}

/** Puts parts together. */
async function* whole(updates) {
  let input;
  let parts = [];
  for await (const update of updates) {
    const payload = update["input"]?.payload ?? update["part"]?.payload ?? Buffer.alloc(0);
    if (update["input"] !== undefined) [input, parts] = [update["input"], []];
    if (update["input"] === undefined && update["part"] === undefined) {
      yield update;
      continue;
    }
    parts.push(payload);
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (bytes < Number(input?.["payloadBytes"] ?? 0)) continue;
    yield { input: { ...input, payload: Buffer.concat(parts), parts: parts.length } };
  }
}

/** Takes each input and sends it on, because of it; finishes at the stop. */
async function relay(stream, hello) {
  stream.send({ hello });
  for await (const { input, ...update } of whole(stream.updates)) {
    if (input === undefined) {
      say(update);
      if (update["stop"] !== undefined) stream.send({ finish: {} });
      continue;
    }
    const { payload, event, traceparent, parts, metadata } = input;
    say({ event, parts, bytes: payload.length, sha: sha(payload), traceparent, metadata });
    stream.send({ log: { level: "info", message: `took ${event}` } });
    stream.send({ task: { output: "out", payload, metadata, traceparent } });
    stream.send({ handled: { event } });
  }
}

function sha(bytes) {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

const [what = "", ...args] = process.argv.slice(2);
const modes = {
  grpc: () => relay(grpcClient().stream(), { window: Number(args[0] ?? 1) }),
  websocket: async () => relay(await webSocketStream(), { window: Number(args[0] ?? 1) }),
  /** Sends by single calls, and tells what those are answered that cannot be done. */
  tasks: async () => {
    const client = grpcClient();
    for (let count = 0; count < Number(args[0]); count++) {
      say(await client.sendTask({ output: "out", payload: Buffer.from([count]) }));
    }
    const wrong = [
      { output: "ouf" },
      { output: "out", metadata: { fields: { deep: { structValue: { fields: {} } } } } },
      { output: "out", payload: Buffer.from("no stream"), encoding: "ENCODING_ARROW" },
      { output: "out", payload: Buffer.alloc(64 * 1024 * 1024 + 512 * 1024) },
    ];
    for (const task of wrong) {
      await client.sendTask(task).catch(({ code, details }) => say({ code, details }));
    }
    await grpcClient("no/such/token")
      .sendTask({ output: "out" })
      .catch(({ code, details }) => say({ stranger: code, details }));
    const stream = client.stream();
    stream.send({ hello: {} });
    stream.end();
    for await (const update of stream.updates) say(update);
    await client.sendTask({ output: "out" }).catch(({ code }) => say({ afterwards: code }));
  },
  /** Says things out of order, and what is no request. */
  garbage: async () => {
    const rude = grpcClient().stream();
    rude.send({ handled: { event: "1" } });
    await drain(rude);
    const client = grpcClient().stream();
    client.send({ hello: { window: 5000 } });
    await drain(client);
    const stream = grpcClient().stream();
    stream.send({ hello: {} });
    stream.send({ handled: { event: "99" } });
    stream.send({});
    stream.send({ task: { output: "nowhere" } });
    stream.send({ finish: {} });
    for await (const update of stream.updates) say(update);
  },
  /** Takes its first input, and dies of it, once. */
  dies: async () => {
    const isAgain = existsSync(args[0] ?? "");
    if (isAgain) return relay(grpcClient().stream(), { window: 4 });
    const stream = grpcClient().stream();
    stream.send({ hello: { window: 4 } });
    for await (const { input } of whole(stream.updates)) {
      if (input === undefined) continue;
      writeFileSync(args[0] ?? "", "");
      process.kill(process.pid, "SIGKILL");
    }
  },
  /** Handles nothing until its window is full and a request that came later was answered. */
  slow: async () => {
    const stream = grpcClient().stream();
    stream.send({ hello: { window: 2 } });
    const held = [];
    for await (const { input, failed, stop } of whole(stream.updates)) {
      if (stop !== undefined) stream.send({ finish: {} });
      if (failed !== undefined) say({ held: held.length });
      if (failed !== undefined)
        for (const event of held.splice(0)) stream.send({ handled: { event } });
      if (input === undefined) continue;
      held.push(input.event);
      if (held.length === 2) stream.send({ closeOutputs: { outputs: ["nowhere"] } });
    }
  },
  /** Opens a second stream, and a third after leaving. */
  twice: async () => {
    const first = grpcClient().stream();
    first.send({ hello: {} });
    for await (const update of first.updates) {
      if (update["welcome"] !== undefined) break;
    }
    await relay(grpcClient().stream(), {});
  },
};

async function drain(stream) {
  try {
    for await (const update of stream.updates) say(update);
  } catch (error) {
    const { code, details } = error;
    say({ code, details });
  }
}

await modes[what]?.();
process.exit();
