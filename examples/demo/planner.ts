/** Plans the arm's path around the objects; without them it slows the arm down. */
import { Node } from "../../src/runtime/node/index.ts";

await using node = await Node.connect();
/** Frames without objects, one after the other. */
let blindCount = 0;
for await (const event of node) {
  if (event.type !== "input") continue;
  const { frame, objects } = event.metadata;
  blindCount = objects === 0 ? blindCount + 1 : 0;
  // What a program prints is searched as well: its level and its trace are found.
  if (blindCount > 1) console.log(`WARN no objects in frame ${frame}, arm slows down`);
  else console.log(`INFO path planned for frame ${frame}`);
}
