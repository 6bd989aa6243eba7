import { expect, test } from "vitest";
import { BrokerOutbox } from "../../../src/runtime/transports/broker-outbox.ts";

test("a deadline that is no whole number of milliseconds, as what is left of one, is kept", async () => {
  let isClosed = false;
  const sender = {
    publish: () => new Promise<boolean>(() => {}),
    close: () => {
      isClosed = true;
      return Promise.resolve();
    },
  };
  const sent = { sentMessages: 0, sentBytes: 0 };
  const stats = { ...sent, droppedMessages: 0, lostMessages: 0, reconnects: 0 };
  const outbox = new BrokerOutbox(sender, { payloadBytesMax: 1024, stats });
  outbox.send(Buffer.alloc(1), Buffer.alloc(1));
  await outbox.close(4.999952061);
  expect(isClosed).toBe(true);
  expect(stats.lostMessages).toBe(1);
});
