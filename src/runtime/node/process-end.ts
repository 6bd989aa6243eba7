/** Who is told of the end of this process. */
export interface ProcessEndListener {
  /** An error that nobody caught ends it. */
  onCrash(): void;
  /** The last moment: nothing asynchronous happens after. */
  onExit(): void;
}

const listeners = new Set<ProcessEndListener>();

/** Tells of the end until `forgetProcessEnd`; one pair of the process's own listeners serves all. */
export function watchProcessEnd(listener: ProcessEndListener): void {
  if (listeners.size === 0) {
    process.on("uncaughtExceptionMonitor", tellCrash);
    process.on("exit", tellExit);
  }
  listeners.add(listener);
}

export function forgetProcessEnd(listener: ProcessEndListener): void {
  listeners.delete(listener);
  if (listeners.size > 0) return;
  process.off("uncaughtExceptionMonitor", tellCrash);
  process.off("exit", tellExit);
}

function tellCrash(): void {
  for (const listener of listeners) listener.onCrash();
}

function tellExit(): void {
  for (const listener of listeners) listener.onExit();
}
