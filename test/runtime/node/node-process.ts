/** Nodes as processes of their own: `node node-process.ts PART`, told who they are by the environment. */
import { Node } from "../../../src/runtime/node/node.ts";

const part = process.argv[2];
const node = await Node.connect();

if (part === "source") {
  for await (const event of node) {
    if (event.type === "input") await node.sendOutput("out", Buffer.from("tick"), { frame: 7 });
  }
} else if (part === "relay") {
  for await (const event of node) {
    if (event.type !== "input") continue;
    node.log.info("relayed", { bytes: event.bytes().length });
    await node.sendOutput("out", event.bytes(), event.metadata);
  }
} else if (part === "crash") {
  for await (const event of node) {
    if (event.type !== "input") continue;
    node.log.error("about to fail", { cause: new Error("broken lens") });
    throw new Error("cannot go on");
  }
}
await node.close();
