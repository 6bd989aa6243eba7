/**
 * The sending node of the two-process test: `node link-process.ts OPTIONS`, in JSON.
 * Sends so many numbered messages, closes, and must then end by itself: nothing may keep it alive.
 */
import { z } from "zod";
import type { Transport } from "../../../src/runtime/transports/transport.ts";
import { openTransport } from "../../../src/runtime/transports/open-transport.ts";

const Options = z.object({
  kind: z.string(),
  settings: z.record(z.string(), z.unknown()),
  endpoint: z.string(),
  topic: z.string(),
  token: z.string(),
  messages: z.number(),
  payloadBytes: z.number(),
});

const options = Options.parse(JSON.parse(process.argv[2] ?? ""));
const transport: Transport = await openTransport(options.kind, options.settings);
const outbox = await transport.openOutbox(options);
for (let number = 0; number < options.messages; number++) {
  const payload = Buffer.alloc(options.payloadBytes, number & 0xff);
  payload.writeUInt32LE(number);
  if (outbox.send(Buffer.from(`header ${number}`), payload) !== "sent") await outbox.drained();
}
await outbox.close(60_000);
await transport.close();
console.log(JSON.stringify(outbox.stats));
