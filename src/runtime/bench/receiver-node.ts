/** The node of `dora bench` that receives. It prints a `StepResult` as a line for each step. */
import { Node } from "../node/index.ts";
import { nowNs, percentile, readPlan, Stamp, type StepResult } from "./method.ts";

const { steps } = readPlan();
await using node = await Node.connect();

/** What has arrived of one step. */
class Tally {
  readonly #step: number;
  readonly #seen: Uint8Array;
  readonly #latenciesUs: number[] = [];
  #firstSentNs = Infinity;
  #lastArrivedNs = 0;

  constructor(step: number, messages: number) {
    this.#step = step;
    this.#seen = new Uint8Array(messages);
  }

  add({ index, sentNs }: Stamp, arrivedNs: number): void {
    // A transport that delivers at least once may deliver twice.
    if (index < 0 || this.#seen[index] !== 0) return;
    this.#seen[index] = 1;
    this.#latenciesUs.push((arrivedNs - sentNs) / 1000);
    this.#firstSentNs = Math.min(this.#firstSentNs, sentNs);
    this.#lastArrivedNs = arrivedNs;
  }

  result(): StepResult {
    const sorted = this.#latenciesUs.sort((left, right) => left - right);
    return {
      step: this.#step,
      received: sorted.length,
      p50Us: percentile(sorted, 0.5),
      p95Us: percentile(sorted, 0.95),
      p99Us: percentile(sorted, 0.99),
      p999Us: percentile(sorted, 0.999),
      seconds: sorted.length === 0 ? 0 : (this.#lastArrivedNs - this.#firstSentNs) / 1e9,
    };
  }
}

const tallies = steps.map(({ messages }, step) => new Tally(step, messages));

for await (const event of node) {
  if (event.type !== "input") continue;
  const arrivedNs = nowNs();
  const stamp = Stamp.parse(event.metadata);
  if (event.bytes().length !== steps[stamp.step]?.sizeBytes) event.fail();
  else tallies[stamp.step]?.add(stamp, arrivedNs);
  event.recycle();
  if (stamp.tell) await node.sendOutput("arrived", undefined, { ...stamp });
}
for (const tally of tallies) process.stdout.write(`${JSON.stringify(tally.result())}\n`);
