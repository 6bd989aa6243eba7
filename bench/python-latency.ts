/**
 * One way between two nodes, of which the receiver is Python's: from before the send to the handler, at its own pace
 * and back to back.
 *
 *     node bench/python-latency.ts [--messages 500] [--python PROGRAM]
 *
 * `paced`: a message each 5 ms, so that both processes sleep between. `back to back`: the next one when the
 * receiver has answered. The Python needs pyarrow: that of `npm run parts:build -- pandas`, where it is built.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { findPart } from "../scripts/parts/part.ts";
import { Daemon } from "../src/runtime/daemon/daemon.ts";
import type { NodeTelemetry, RunTelemetry } from "../src/runtime/protocol/run-telemetry.ts";
import { createLogger } from "../src/telemetry/logger.ts";
import { machineLine } from "./process-usage.ts";

const LIBRARY = new URL("../src/runtime/node/index.ts", import.meta.url).href;
const SIZES = [8, 4_000_000];
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

/** Keeps what the receiver prints; hops are taken, and not looked at. */
class Output implements RunTelemetry {
  text = "";
  log(): void {}
  nodeStarted(): NodeTelemetry {
    return {
      output: (stream, chunk) => {
        if (stream === "stderr") process.stderr.write(chunk);
        else this.text += chunk.toString();
      },
      log: () => {},
      hops: () => {},
      gauges: () => {},
      inputAdded: () => {},
      started: () => {},
      usage: () => {},
      rates: () => RATES,
      ended: () => {},
    };
  }
}

const senders = (messages: number): Readonly<Record<string, string>> => ({
  "sender.py": `import time
from dora import Node
node = Node()
for size in [${SIZES.join(", ")}]:
    data = bytes(size)
    for way in ["paced", "back to back"]:
        for i in range(${messages}):
            node.send_output("out", data, {"way": way, "t": str(time.time_ns())})
            if way == "paced":
                time.sleep(0.005)
            else:
                event = node.next()
                while event["type"] != "INPUT":
                    event = node.next()
        while way == "paced" and node.next(0.3) is not None:
            pass
`,
  "sender.mjs": `import { Node } from "${LIBRARY}";
await using node = await Node.connect();
const now = () => String(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6)));
for (const size of [${SIZES.join(", ")}]) {
  const data = Buffer.alloc(size);
  for (const way of ["paced", "back to back"]) {
    for (let i = 0; i < ${messages}; i++) {
      await node.sendOutput("out", data, { way, t: now() });
      if (way === "paced") await new Promise((resolve) => setTimeout(resolve, 5));
      else while ((await node.next())?.type !== "input");
    }
    while (way === "paced" && (await node.next(300)) !== undefined);
  }
}
`,
});

const RECEIVER = `import time
from dora import Node
node = Node()
found = {}
for event in node:
    if event["type"] == "INPUT":
        size, now, metadata = len(event["value"]), time.time_ns(), event["metadata"]
        found.setdefault((size, metadata["way"]), []).append((now - int(metadata["t"])) / 1000)
        node.send_output("back", b"1")
for (size, way), times in found.items():
    times = sorted(times[len(times) // 10:])
    p = [times[int(len(times) * share)] for share in (0.5, 0.9, 0.99)]
    print(f"{way} | {size:,} | {p[0]:,.0f} | {p[1]:,.0f} | {p[2]:,.0f} |")
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      messages: { type: "string", default: "500" },
      python: { type: "string", default: findPart("pandas").path ?? "python3" },
    },
  });
  const base = mkdtempSync(join(tmpdir(), "dora-python-"));
  const folder = join(base, "flow");
  mkdirSync(folder);
  writeFileSync(join(folder, "receiver.py"), RECEIVER);
  for (const [name, text] of Object.entries(senders(Number(values.messages)))) {
    writeFileSync(join(folder, name), text);
  }
  console.log(machineLine());
  console.log("\n| from, to | way | bytes | p50 us | p90 us | p99 us |");
  console.log("| --- | --- | ---: | ---: | ---: | ---: |");
  for (const [from, file] of [
    ["Python, Python", "sender.py"],
    ["JavaScript, Python", "sender.mjs"],
  ]) {
    const report = await runFlow(join(base, file), folder, file, values.python);
    for (const line of report.trimEnd().split("\n")) console.log(`| ${from} | ${line}`);
  }
  rmSync(base, { recursive: true, force: true });
}

/** What the receiver printed. */
async function runFlow(
  run: string,
  folder: string,
  sender: string,
  python: string,
): Promise<string> {
  const telemetry = new Output();
  const path = [dirname(python), process.env["PATH"]].join(delimiter);
  const daemon = await Daemon.open({
    telemetry,
    log: createLogger({ level: "error", sinks: [] }),
    folder: run,
    environment: { ...process.env, PATH: path },
  });
  const ended = new Promise<void>((resolve) => {
    daemon.subscribe({
      onEvent: (event) => {
        if (event.type !== "dataflow") return;
        if (event.state === "completed" || event.state === "failed") resolve();
      },
      onStatus: () => {},
    });
  });
  await daemon.handle({
    method: "start",
    dataflow: "01900000-0000-7000-8000-000000000001",
    name: "latency",
    build: false,
    file: join(folder, "dataflow.yml"),
    environment: {},
    text: `
nodes:
  - { id: sender, path: ${sender}, inputs: { back: { source: receiver/back, queue_size: 1000 } }, outputs: [out] }
  - { id: receiver, path: receiver.py, inputs: { in: { source: sender/out, queue_size: 1000 } }, outputs: [back] }
`,
  });
  await ended;
  await daemon.close(1000);
  return telemetry.text;
}

await main();
