import { parentPort } from "node:worker_threads";
import { assert } from "../core/assert.ts";
import { errorMessage } from "../core/errors.ts";
import { encodeSeal } from "./sealer.ts";
import type { SealReply, SealTask } from "./sealer.ts";

/** The thread that turns open columns into segments: pure computing, one seal at a time. */
const port = parentPort;
assert(port !== null, "seal-worker.ts runs in a worker");

port.on("message", (task: SealTask) => {
  try {
    const segments = encodeSeal(task);
    const reply: SealReply = { status: "sealed", segments };
    port.postMessage(
      reply,
      segments.map(({ bytes }) => bytes.buffer),
    );
  } catch (error) {
    const reply: SealReply = { status: "failed", message: errorMessage(error) };
    port.postMessage(reply);
  }
});
