import { Node } from "dora-dataflow/node";

await using node = await Node.connect();
for await (const event of node) {
  if (event.type === "input") {
    console.log(`${event.metadata.count}: ${Buffer.from(event.bytes()).toString()}`);
  }
}
