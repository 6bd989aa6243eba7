import type { DataflowAnswer } from "../runtime/coordinator/coordinator.ts";
import { Background } from "./background.ts";
import { runningDataflows } from "./choose-dataflow.ts";
import type { CoordinatorClient } from "./coordinator-client.ts";
import type { Output } from "./output.ts";
import type { BackgroundName } from "./pid-file.ts";
import { seconds } from "./render-start.ts";

/**
 * Starts what a dataflow needs and what does not run on this machine yet, and says so; gives what it started.
 * A coordinator of another machine is left alone.
 *
 * Errors: those of `Background.up`.
 */
export async function bringUp(
  client: CoordinatorClient,
  output: Output,
): Promise<readonly BackgroundName[]> {
  if (!client.isLocal) return [];
  const background = new Background(client);
  if (await background.isUp()) return [];
  const { icons } = output.look;
  await output.writeLine(`${icons.tool} Starting what does not run yet:`);
  const started: BackgroundName[] = [];
  await background.up(async ({ name, wasRunning, elapsedMs, where }) => {
    if (wasRunning) return;
    started.push(name);
    const style = "success";
    const text = `[${icons.tick} started in ${seconds(elapsedMs)}]`;
    await output.writeLine(`    ${name} `, { text, style }, ` ${where}`);
  });
  await output.writeLine({ text: "    `dora down` stops it.", style: "dim" });
  await output.writeLine();
  return started;
}

/**
 * Stops what `bringUp` started, unless a dataflow runs on it by now, or nobody can tell: then it says so.
 * Never rejects for want of a coordinator.
 */
export async function takeDown(
  client: CoordinatorClient,
  started: readonly BackgroundName[],
  output: Output,
): Promise<void> {
  if (started.length === 0) return;
  const users = await usersOf(client);
  if (users !== "") {
    await output.writeLine({
      text: `${started.join(", ")} run on, since ${users}: \`dora down\` stops them`,
      style: "dim",
    });
    return;
  }
  await new Background(client).down(started);
}

/** Why it cannot be stopped; "" where nothing needs it. */
async function usersOf(client: CoordinatorClient): Promise<string> {
  let running: readonly DataflowAnswer[];
  try {
    running = await runningDataflows(client);
  } catch {
    return "the coordinator does not say what runs";
  }
  if (running.length === 0) return "";
  return `${running.map(({ name }) => name).join(", ")} may need them`;
}
