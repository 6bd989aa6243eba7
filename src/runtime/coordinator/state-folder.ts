import { homedir } from "node:os";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where what outlives a process of the runtime is kept: `$DORA_STATE_DIR`, else `$XDG_STATE_HOME/dora`,
 * else `~/.local/state/dora`. Holds the coordinator's state, and pid files and logs of what `dora up` started.
 */
export function stateFolder(environment: Environment): string {
  const own = environment["DORA_STATE_DIR"] ?? "";
  if (own !== "") return own;
  const stateHome = environment["XDG_STATE_HOME"] ?? "";
  // The base directory specification has relative paths ignored.
  if (stateHome.startsWith("/")) return join(stateHome, "dora");
  const home = environment["HOME"] ?? "";
  return join(home === "" ? homedir() : home, ".local", "state", "dora");
}

/** The file in which a coordinator keeps what it knows. */
export function stateFilePath(environment: Environment): string {
  return join(stateFolder(environment), "coordinator.json");
}
