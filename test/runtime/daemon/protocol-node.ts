/**
 * A node that speaks the protocol by itself: `node protocol-node.ts WORD…`. Prints each message of its daemon.
 *
 *     exit:N        ends with this code at the start
 *     exit-once:F   ends with code 1 at the start, unless the file is there, which it then makes
 *     early:N       ends with this code before it says hello
 *     deaf          passes over `stop` and SIGTERM
 *     mute          says nothing after `listening`
 *     finish        finishes at the start, and ends
 *     linger        finishes at the start, and stays
 *     drop-once:F   closes its connection once at the start, and comes back
 *     close         closes all outputs at the start, and stays
 *     stderr:TEXT   prints it first
 */
import { existsSync, writeFileSync } from "node:fs";
import net from "node:net";
import { readDaemonMessage } from "../../../src/runtime/node/daemon-message.ts";
import { encodeJsonFrame, FrameReader } from "../../../src/runtime/protocol/frames.ts";
import type { DaemonMessage, NodeMessage } from "../../../src/runtime/protocol/node-messages.ts";

const words = new Map(
  process.argv.slice(2).map((word): [string, string] => {
    const [name = "", ...rest] = word.split(":");
    return [name, rest.join(":")];
  }),
);
const env = (name: string): string => process.env[name] ?? "";
const first = words.get("stderr");
if (first !== undefined) process.stderr.write(`${first}\n`);
const early = words.get("early");
if (early !== undefined) process.exit(Number(early));
if (words.has("deaf")) process.on("SIGTERM", () => {});

let socket = connect();

function connect(): net.Socket {
  const opened = net.connect(env("DORA_DAEMON_SOCKET"));
  const frames = new FrameReader();
  opened.on("data", (chunk: Buffer) => {
    for (const { body } of frames.read(chunk)) {
      const message = readDaemonMessage(body);
      if (message !== undefined) take(message);
    }
  });
  opened.on("error", () => {});
  opened.write(
    encodeJsonFrame({
      type: "hello",
      protocol: 1,
      dataflow: env("DORA_DATAFLOW_ID"),
      node: env("DORA_NODE_ID"),
      token: env("DORA_NODE_TOKEN"),
      pid: process.pid,
      library: "protocol-node",
    }),
  );
  return opened;
}

function say(message: NodeMessage): void {
  socket.write(encodeJsonFrame(message));
}

function take(message: DaemonMessage): void {
  console.log(JSON.stringify(message));
  if (message.type === "welcome" || message.type === "input-added") {
    const address = `unix:/nowhere/${env("DORA_NODE_ID")}.${process.pid}.sock`;
    say({ type: "listening", inboxes: [{ transport: "socket", address }] });
  }
  if (message.type === "start") start();
  if (message.type === "stop" && !words.has("deaf")) end(0);
}

function start(): void {
  const exit = words.get("exit");
  if (exit !== undefined) process.exit(Number(exit));
  if (isFirst("exit-once")) process.exit(1);
  if (isFirst("drop-once")) {
    socket.destroy();
    socket = connect();
  }
  if (words.has("close")) say({ type: "outputs-closed", outputs: [] });
  if (words.has("finish")) end(0);
  if (words.has("linger")) say({ type: "finished" });
  if (!words.has("mute")) {
    const gauges = { connections: 3, inputs: [] };
    setInterval(() => say({ type: "gauges", gauges }), 100);
  }
}

/** Whether the word is given, and the file of its mark was not there; it is then. */
function isFirst(word: string): boolean {
  const mark = words.get(word);
  if (mark === undefined || existsSync(mark)) return false;
  writeFileSync(mark, "");
  return true;
}

function end(code: number): void {
  say({ type: "outputs-closed", outputs: [] });
  socket.end(encodeJsonFrame({ type: "finished" }), () => process.exit(code));
}
