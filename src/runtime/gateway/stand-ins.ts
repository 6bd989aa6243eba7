import { AppError } from "../../core/errors.ts";
import { formatProcessToken, type ProcessIdentity } from "./process-token.ts";
import { StandIn } from "./stand-in.ts";

/** So many processes are remembered to have finished; the daemon refuses an older one by itself, once it has ended. */
const FINISHED_MAX = 4096;
/** How long a node's earlier stand-in may take to hear that its process has ended. */
const EARLIER_MS = 5_000;

/** The stand-ins of all processes that have called. */
export class StandIns {
  readonly #socketPath: string;
  readonly #byProcess = new Map<string, Promise<StandIn>>();
  /** The newest of each node: two of one node would listen at one place. */
  readonly #byNode = new Map<string, StandIn>();
  readonly #finished = new Set<string>();

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Errors: `NODE_REFUSED`, `DAEMON_UNREACHABLE`, `NODE_CLOSED`. */
  async find(identity: ProcessIdentity): Promise<StandIn> {
    const key = formatProcessToken(identity);
    let found = this.#byProcess.get(key);
    if (found === undefined && !this.#finished.has(key)) {
      found = this.#open(identity);
      this.#byProcess.set(key, found);
      void this.#forget(key, found);
    }
    const standIn = await found;
    if (standIn === undefined || standIn.isClosed) {
      throw new AppError("NODE_CLOSED", `node ${identity.node} has finished: it sends no more`);
    }
    return standIn;
  }

  async #open(identity: ProcessIdentity): Promise<StandIn> {
    const { dataflow, node } = identity;
    const key = formatProcessToken({ token: "", dataflow, node });
    const earlier = this.#byNode.get(key);
    // Not closed from here: whether this process is what it says, only the daemon knows.
    if (earlier !== undefined) await atMost(EARLIER_MS, earlier.ended);
    const opened = await StandIn.open(identity, this.#socketPath);
    this.#byNode.set(key, opened);
    void opened.ended.then(() => {
      if (this.#byNode.get(key) === opened) this.#byNode.delete(key);
    });
    return opened;
  }

  /** Once it has ended, or could not be opened. */
  async #forget(key: string, opening: Promise<StandIn>): Promise<void> {
    try {
      await (
        await opening
      ).ended;
      this.#finished.add(key);
      const [oldest] = this.#finished;
      if (this.#finished.size > FINISHED_MAX && oldest !== undefined) this.#finished.delete(oldest);
    } catch {
      // Who asked for it was told why.
    } finally {
      this.#byProcess.delete(key);
    }
  }
}

async function atMost(timeoutMs: number, awaited: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  await Promise.race([awaited, promise]);
  clearTimeout(timer);
}
