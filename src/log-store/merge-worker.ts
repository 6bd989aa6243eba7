import { setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { assert } from "../core/assert.ts";
import { errorMessage } from "../core/errors.ts";
import type { MergeReply, ToMergeWorker } from "./merger.ts";
import { checkFooters, mergeSteps } from "./merger.ts";

/** Of 20 steps of niceness the middle: a merge takes what others leave, and never quite nothing. */
const LOW_PRIORITY = 10;

/**
 * The thread that merges segments: it reads files and computes, and makes the next part only when
 * the last one was taken.
 */
const port = parentPort;
assert(port !== null, "merge-worker.ts runs in a worker");
let steps: ReturnType<typeof mergeSteps> | undefined;

port.on("message", (message: ToMergeWorker) => {
  try {
    switch (message.kind) {
      case "lower":
        lowerPriority();
        break;
      case "merge":
        steps = mergeSteps(message.task);
        step(steps);
        break;
      case "next":
        assert(steps !== undefined, "there is a merge to go on with");
        step(steps);
        break;
      case "check":
        reply({ kind: "checked", damage: checkFooters(message.paths) });
        break;
    }
  } catch (error) {
    reply({ kind: "failed", message: errorMessage(error) });
  }
});

/** Linux has a priority for each thread; elsewhere it would be lowered for the whole process. */
function lowerPriority(): void {
  if (process.platform !== "linux") return;
  try {
    setPriority(LOW_PRIORITY);
  } catch {
    // A sandbox may forbid it: the merge then takes its turns as the others do.
  }
}

function step(parts: ReturnType<typeof mergeSteps>): void {
  const { done, value } = parts.next();
  if (done === true) reply({ kind: "end", end: value });
  else reply({ kind: "part", bytes: value }, [value.buffer]);
}

function reply(message: MergeReply, transfer: readonly ArrayBuffer[] = []): void {
  port?.postMessage(message, [...transfer]);
}
