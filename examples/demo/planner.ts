/** Plans the arm's path around the objects; without them it slows the arm down. */
import { Node } from "dora-dataflow/node";

await using node = await Node.connect();
/** Frames without objects, one after the other. */
let blindCount = 0;
for await (const event of node) {
  if (event.type !== "input") continue;
  const { frame, objects } = event.metadata;
  blindCount = objects === 0 ? blindCount + 1 : 0;
  if (blindCount > 1) node.log.warn("no objects, arm slows down", { frame });
  else node.log.info("path planned", { frame });
}
