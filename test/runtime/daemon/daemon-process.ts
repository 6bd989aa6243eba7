/**
 * A daemon as a process: `node daemon-process.ts FOLDER` runs FOLDER/dataflow.yml. Prints what the nodes print,
 * and `guard PID` and `recorded PID` as they change.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Daemon } from "../../../src/runtime/daemon/daemon.ts";
import { silentLogger } from "../../../src/telemetry/logger.ts";

const RATES = {
  inputPerSecond: 0,
  outputPerSecond: 0,
  inputBytesPerSecond: 0,
  outputBytesPerSecond: 0,
  latencyP50Ns: null,
  latencyP99Ns: null,
  handlingP50Ns: null,
  queued: 0,
  dropped: 0,
  errors: 0,
};
const folder = process.argv[2] ?? "";
const daemon = await Daemon.open({
  folder: join(folder, "run"),
  log: silentLogger,
  telemetry: {
    log: () => {},
    nodeStarted: () => ({
      output: (_, chunk) => void process.stdout.write(chunk),
      log: () => {},
      hops: () => {},
      gauges: () => {},
      inputAdded: () => {},
      started: () => {},
      usage: () => {},
      ended: () => {},
      rates: () => RATES,
    }),
  },
});
const file = join(folder, "dataflow.yml");
await daemon.handle({
  method: "start",
  dataflow: `01900000-0000-7000-8000-${String(process.pid).padStart(12, "0")}`,
  name: "flow",
  text: readFileSync(file, "utf8"),
  file,
  environment: {},
  build: false,
});

const told = new Set<string>();
setInterval(() => {
  const lines = daemon.guardPid === undefined ? [] : [`guard ${daemon.guardPid}`];
  const text = readFileSync(join(folder, "run", "processes.json"), "utf8");
  for (const [, pid] of text.matchAll(/"pid":(\d+)/g)) lines.push(`recorded ${pid}`);
  for (const line of lines) {
    if (!told.has(line)) console.log(line);
    told.add(line);
  }
}, 20);
