/** Sends a picture at each tick of its timer, 80 in all. */
import { Node } from "dora-dataflow/node";

const FRAME_COUNT = 80;
const FRAME_BYTES = 640 * 480 * 3;

await using node = await Node.connect();
let frame = 0;
for await (const event of node) {
  if (event.type !== "input") continue;
  frame += 1;
  node.log.info("frame captured", { frame, bytes: FRAME_BYTES });
  await node.sendOutput("image", new Uint8Array(FRAME_BYTES).fill(frame), { frame });
  if (frame === FRAME_COUNT) break;
}
