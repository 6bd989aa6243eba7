/** A worker that takes a task, says so, and never ends it: `node transports-worker.ts ENDPOINT TOPIC IDLE_MS`. */
import { RedisTransport } from "../../src/runtime/transports/redis.ts";

const [endpoint = "", topic = "", idleMs = ""] = process.argv.slice(2);
const transport = new RedisTransport({ redis: { mode: "tasks", idleMs: Number(idleMs) } });
const inbox = await transport.openInbox({ endpoint });
await inbox.accept(
  { topic, token: "" },
  {
    onMessage: () => {
      console.log("taken");
      return new Promise(() => {});
    },
  },
);
