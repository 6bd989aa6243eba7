/** A node of the chaos run: a source where it has a rate; else it sends on what it takes. Says in its ledger what it does. */
import { Node } from "dora-dataflow/node";
import { type LedgerEntry, LedgerWriter, SENT, TAKEN } from "./ledger.ts";

const PAYLOAD_BYTES = 64;
const TURN_MS = 5;
/** A source that was held back makes up for so much, no more. */
const OWED_MS_MAX = 500;

const incarnation = Math.round(performance.timeOrigin);
await using node = await Node.connect();
const ledger = new LedgerWriter(process.env["CHAOS_LEDGERS"] ?? "", node.id, incarnation);
let sequence = 0;

if (node.config.inputs.length === 0) await runSource(Number(node.parameters["rate"]));
else await forward();
ledger.close();

async function runSource(rate: number): Promise<void> {
  let dueMs = performance.now();
  while (node.parameters["is_ending"] !== true) {
    const event = await node.next(TURN_MS);
    if (event?.type === "stop") return;
    dueMs = Math.max(dueMs, performance.now() - OWED_MS_MAX);
    for (; dueMs < performance.now(); dueMs += 1000 / rate) await send();
  }
}

async function forward(): Promise<void> {
  const inputs = node.config.inputs.map(({ id }) => id);
  for await (const event of node) {
    if (event.type !== "input") continue;
    const input = inputs.indexOf(event.id);
    const queued = node.queuedCount;
    ledger.write({ kind: TAKEN, input, queued, ...readPayload(event.bytes()) });
    if (node.config.outputs.length === 0) continue;
    // The join sends on those of one worker.
    if (node.id !== "join" || input === 0) await send();
  }
}

async function send(): Promise<void> {
  const payload = Buffer.alloc(PAYLOAD_BYTES);
  payload.writeDoubleLE(incarnation, 0);
  payload.writeUInt32LE(sequence, 8);
  ledger.write({ kind: SENT, input: 0, queued: node.queuedCount, incarnation, sequence });
  sequence += 1;
  await node.sendOutput("out", payload);
}

function readPayload(bytes: Uint8Array): Pick<LedgerEntry, "incarnation" | "sequence"> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { incarnation: view.getFloat64(0, true), sequence: view.getUint32(8, true) };
}
