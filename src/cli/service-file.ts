import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** In the store's folder while a service has it open, so that the command line finds the service. */
const FILE_NAME = "service.json";

/** Says which process serves a store's folder, and at which address it answers queries. */
export async function writeServiceFile(directory: string, api: string | undefined): Promise<void> {
  const path = join(directory, FILE_NAME);
  const temporary = `${path}.${process.pid}`;
  const content = { pid: process.pid, api: api === undefined ? null : reachableFromHere(api) };
  await writeFile(temporary, `${JSON.stringify(content)}\n`);
  await rename(temporary, path);
}

/** Removes the file, unless another process has written it since. */
export async function removeServiceFile(directory: string): Promise<void> {
  const path = join(directory, FILE_NAME);
  const text = await readFile(path, "utf8").catch(() => "{}");
  const written: unknown = JSON.parse(text);
  const isOurs =
    typeof written === "object" &&
    written !== null &&
    "pid" in written &&
    written.pid === process.pid;
  if (isOurs) await rm(path, { force: true });
}

/** Who listens on all addresses is reached on the loopback one. */
function reachableFromHere(api: string): string {
  return api.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}
