import { Worker } from "node:worker_threads";

/**
 * Starts a worker from a module beside this one, in the sources (.ts) and in the build (.js). It
 * reads `workerData` when it starts.
 */
export function startWorker(name: string, workerData?: object): Worker {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new Worker(new URL(`./${name}.${extension}`, import.meta.url), { name, workerData });
}
