import { Background } from "./background.ts";
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
 * Stops what `bringUp` started, unless somebody else's dataflow runs on it by now: then it says so.
 *
 * Errors: `COORDINATOR_UNREACHABLE`
 */
export async function takeDown(
  client: CoordinatorClient,
  started: readonly BackgroundName[],
  output: Output,
): Promise<void> {
  if (started.length === 0) return;
  const { isEnded } = await import("../runtime/coordinator/dataflow-registry.ts");
  const running = (await client.list()).filter(({ state }) => !isEnded(state));
  if (running.length > 0) {
    const names = running.map(({ name }) => name).join(", ");
    await output.writeLine({
      text: `${started.join(", ")} run on, since ${names} needs them: \`dora down\` stops them`,
      style: "dim",
    });
    return;
  }
  await new Background(client).down(started);
}
