/** Loaded into a service (`--import`): at its end writes how long its receiving thread paused. */
import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

const file = process.env["PAUSE_PROBE_FILE"];
if (isMainThread && file !== undefined) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  // What loading takes is no pause of a service.
  setTimeout(() => delay.reset(), 2000).unref();
  delay.enable();
  const inMs = (ns: number): number => Math.round(ns / 1e4) / 100;
  process.on("exit", () => {
    const { max } = delay;
    const [p99, p999] = [delay.percentile(99), delay.percentile(99.9)];
    writeFileSync(file, JSON.stringify({ p99: inMs(p99), p999: inMs(p999), max: inMs(max) }));
  });
}
