import { createHash } from "node:crypto";
import { chmodSync, existsSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { AppError, errorMessage } from "../../core/errors.ts";

/** macOS allows 104 bytes with the closing zero, Linux 108. */
const SOCKET_PATH_BYTES_MAX = 103;
/** A dataflow's folder, `/`, and the name of a node's socket. */
const ROOM_BYTES = 48;
const MEMORY_FOLDER = "/dev/shm";

/**
 * The daemon's private folder, mode 0700: `dora-<uid>` in `$XDG_RUNTIME_DIR`, else in the system's
 * temporary folder. Holds the socket `daemon.sock`.
 */
export function daemonFolder(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const runtimeFolder = environment["XDG_RUNTIME_DIR"] ?? "";
  const name = `dora-${userInfo().uid}`;
  const candidates = [runtimeFolder, tmpdir(), "/tmp"]
    .filter((folder) => folder.startsWith("/"))
    .map((folder) => join(folder, name));
  const fits = (folder: string): boolean =>
    Buffer.byteLength(folder) + ROOM_BYTES <= SOCKET_PATH_BYTES_MAX;
  return candidates.find(fits) ?? join("/tmp", name);
}

/** Where nodes of this user's daemon find it. */
export function daemonSocketPath(folder: string = daemonFolder()): string {
  return join(folder, "daemon.sock");
}

/**
 * Makes a folder that nobody else can enter. One that is there must be our own and no link: in a
 * temporary folder anybody may have put it there.
 *
 * Errors: `FOLDER_UNSAFE`
 */
export function makePrivateFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const found = lstatSync(folder);
    const isOwn = process.getuid === undefined || found.uid === process.getuid();
    if (!found.isDirectory() || !isOwn) {
      throw new AppError("FOLDER_UNSAFE", `${folder} is not a folder of this user`);
    }
    chmodSync(folder, 0o700);
  } catch (error) {
    if (error instanceof AppError) throw error;
    const message = `cannot make the private folder ${folder}: ${errorMessage(error)}`;
    throw new AppError("FOLDER_UNSAFE", message, { cause: error });
  }
}

/**
 * A dataflow's folder for sockets and for files in memory. Its name is the end of the id, to keep the
 * sockets' paths short. Errors: `FOLDER_UNSAFE`
 */
export function makeRunFolder(daemonFolderPath: string, dataflowId: string): string {
  const parent = runFolders(daemonFolderPath);
  makePrivateFolder(dirname(parent));
  makePrivateFolder(parent);
  const folder = join(parent, dataflowId.slice(-12));
  rmSync(folder, { recursive: true, force: true });
  makePrivateFolder(folder);
  return folder;
}

/** Removes the folders of all dataflows: none runs, and a daemon that was killed leaves them. */
export function removeRunFolders(daemonFolderPath: string): void {
  rmSync(runFolders(daemonFolderPath), { recursive: true, force: true });
}

/** Beneath `/dev/shm`, where there is one, else beneath the daemon's folder; for each daemon another one. */
function runFolders(daemonFolderPath: string): string {
  if (!existsSync(MEMORY_FOLDER)) return join(daemonFolderPath, "run");
  const daemon = createHash("sha256").update(daemonFolderPath).digest("hex").slice(0, 8);
  return join(MEMORY_FOLDER, `dora-${userInfo().uid}`, daemon);
}
