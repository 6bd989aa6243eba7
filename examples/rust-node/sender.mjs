import { Node } from "dora-dataflow/node";

const TEXTS = ["ready", "steady", "go"];

await using node = await Node.connect();
for (const [count, text] of TEXTS.entries()) {
  await node.sendOutput("text", Buffer.from(text), { count });
}
