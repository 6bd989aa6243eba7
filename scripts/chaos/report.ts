/** What a chaos run found, in words and tables. */
import type { NodeView, ServiceUse } from "./flow-watch.ts";
import type { Gap, Judgement, Kill } from "./judge.ts";
import type { SignalAccount, TelemetryAccount } from "./telemetry-law.ts";
import { isBalanced } from "./telemetry-law.ts";
import { NODES, QUEUE_SIZE, queueLimit } from "./topology.ts";

/** The flow at one moment. */
export interface Sample {
  readonly atSeconds: number;
  readonly nodes: readonly NodeView[];
  readonly use: readonly ServiceUse[];
}

export interface ChaosRun {
  readonly machine: string;
  readonly commit: string;
  readonly seconds: number;
  readonly rate: number;
  readonly seed: number;
  readonly samples: readonly Sample[];
  readonly kills: readonly Kill[];
  readonly judgement: Judgement;
  /** Messages that waited in the node's queues at most, of all moments at which it took one. */
  readonly deepest: ReadonlyMap<string, number>;
  readonly telemetry: TelemetryAccount;
  /** After the last kill. */
  readonly isAllRunning: boolean;
  /** Of the dataflow once its sources have ended. */
  readonly state: string;
  readonly processesLeft: readonly string[];
}

const USE_EVERY_SECONDS = 30;
const LARGEST_GAPS = 8;
/** With its header, as an outbox counts it. */
const MESSAGE_BYTES = 166;
/** What waits at the sender while nobody takes it (docs/transports.md). */
const OUTBOX_BYTES = 1_048_576;
/** The buffer that Linux gives a socket. */
const SOCKET_BYTES = 212_992;
const BOUNDS = {
  receiver: QUEUE_SIZE + Math.ceil(SOCKET_BYTES / MESSAGE_BYTES),
  sender: QUEUE_SIZE + Math.ceil((OUTBOX_BYTES + SOCKET_BYTES) / MESSAGE_BYTES),
};

/** Promises that did not hold, a sentence each. */
export function findFaults(run: ChaosRun): readonly string[] {
  const { judgement, telemetry } = run;
  const faults: string[] = [];
  const expect = (holds: boolean, sentence: string): void => {
    if (!holds) faults.push(sentence);
  };
  expect(judgement.twice === 0, `${judgement.twice} messages came twice`);
  expect(judgement.disordered === 0, `${judgement.disordered} messages came out of order`);
  expect(judgement.invented === 0, `${judgement.invented} messages came that nobody sent`);
  const unlinked = countOf(judgement.gaps.filter(isUnlinked));
  expect(
    unlinked === 0,
    `${unlinked} messages went nowhere: their sender was started anew while its receiver was away`,
  );
  const unexplained = judgement.gaps.filter((gap) => gap.killed === undefined && !isUnlinked(gap));
  const held = countOf(unexplained.filter(({ link }) => !link.isDropping));
  expect(
    held === 0,
    `${held} messages were lost near no kill, on links that hold their sender back`,
  );
  const dropped = countOf(unexplained.filter(({ link }) => link.isDropping));
  expect(
    dropped <= telemetry.countedDropped,
    `${dropped} messages were lost near no kill by queues that may drop, which counted ${telemetry.countedDropped}`,
  );
  for (const { link, count, killed } of judgement.gaps) {
    if (killed === undefined) continue;
    expect(
      count <= BOUNDS[killed],
      `${count} messages from ${link.source} to ${link.target} were lost with the ${killed}`,
    );
  }
  for (const { id, deepest, limit } of deepestQueues(run)) {
    expect(deepest <= limit, `${deepest} messages waited in ${id}, whose queues hold ${limit}`);
  }
  expect(run.isAllRunning, "not all nodes ran at the end");
  expect(run.state === "completed", `the dataflow ended as ${run.state}`);
  expect(run.processesLeft.length === 0, `${run.processesLeft.length} processes were left`);
  for (const account of telemetry.signals) {
    expect(isBalanced(account), `the service's account of ${account.signal} does not add up`);
  }
  for (const { signal, delivered, inStore, waiting } of telemetry.daemon) {
    expect(
      delivered === inStore && waiting === 0,
      `${signal}: ${delivered} delivered, ${inStore} in the store, ${waiting} wait`,
    );
  }
  return faults;
}

export function writeReport(run: ChaosRun, faults: readonly string[]): string {
  const { judgement, telemetry, kills } = run;
  const lost = (by: Gap["killed"]): string =>
    describeGaps(judgement.gaps.filter(({ killed }) => killed === by));
  const backMs = kills
    .map(({ atUnixMs, backAtUnixMs }) => backAtUnixMs - atUnixMs)
    .toSorted((left, right) => left - right);
  const rates = run.samples.map(({ nodes }) =>
    nodes.reduce((total, { rates: { input_per_second } }) => total + input_per_second, 0),
  );
  const latencies = (key: "latency_p50_ns" | "latency_p99_ns"): string => {
    const all = run.samples.flatMap(({ nodes }) =>
      nodes.map(({ rates: { [key]: value } }) => value),
    );
    return micros(median(all.filter((value) => value !== null)));
  };
  const queues = deepestQueues(run).map(({ deepest }) => deepest);
  return `# Twenty nodes, killed at random

\`node scripts/chaos-flow.ts --seconds ${run.seconds} --rate ${run.rate} --seed ${run.seed}\` at commit ${run.commit}, on ${run.machine}. Twenty JavaScript nodes (two chains, a fan-out to
four workers, a fan-in, a chain; the picture is in \`scripts/chaos/topology.ts\`) under a real coordinator, daemon and \`dora serve\`; \`restart_policy: on-failure\`. Each process writes down what it takes and
sends before it goes on, so that a kill hides nothing. Queues hold ${QUEUE_SIZE} messages; the workers drop the oldest, all others hold their sender back.

${faults.length === 0 ? "**All promises held.**" : `**Did not hold:** ${faults.join("; ")}.`}

## Messages

| what | count |
| --- | ---: |
| kills with -9 | ${number(kills.length)} |
| nodes of those killed | ${number(new Set(kills.map(({ node }) => node)).size)} of ${NODES.length} |
| from a kill to the first message of the next process, median and longest | ${number(median(backMs))} and ${number(backMs.at(-1) ?? 0)} ms |
| messages sent, once for each link | ${number(judgement.sent)} |
| taken by a handler | ${number(judgement.taken)} |
| a second, median of what the daemon says | ${number(median(rates))} |
| taken twice | ${number(judgement.twice)} |
| out of order on a link | ${number(judgement.disordered)} |
| taken and never sent | ${number(judgement.invented)} |
| lost as their receiver was killed | ${lost("receiver")} |
| lost as their sender was killed | ${lost("sender")} |
| lost by a process that was started anew while its receiver was away | ${describeGaps(judgement.gaps.filter(isUnlinked))} |
| lost near no kill | ${describeGaps(judgement.gaps.filter((gap) => gap.killed === undefined && !isUnlinked(gap)))} |
| dropped by full queues, by the daemon's count | ${number(telemetry.countedDropped)} |
| most messages that waited in a node's queues, looked at with each message | ${number(Math.max(...queues))} |
| latency of a link, median of all p50 and of all p99 | ${latencies("latency_p50_ns")} and ${latencies("latency_p99_ns")} us |
| nodes that ran at the end | ${run.isAllRunning ? `all ${NODES.length}` : "not all"} |
| state of the dataflow once its sources had ended | ${run.state} |
| processes left after \`dora down\` | ${run.processesLeft.length} |

The largest losses, of ${number(judgement.gaps.length)}. A killed receiver takes its queue along and what the socket's buffer had for it: at most ${number(BOUNDS.receiver)} messages of this size. A killed sender takes
along what waited for a receiver that was away: an outbox of 1 MiB, at most ${number(BOUNDS.sender)}. What a process that has a link sends while its receiver is started anew waits, and comes.

| from, to | messages | sent within ms | with the kill of its |
| --- | ---: | ---: | --- |
${judgement.gaps
  .toSorted((left, right) => right.count - left.count)
  .slice(0, LARGEST_GAPS)
  .map(gapRow)
  .join("\n")}

## Telemetry

| signal | received | stored | rejected | filtered | deduplicated | dropped | pending | adds up |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
${telemetry.signals.map(signalRow).join("\n")}

| of the daemon | delivered | dropped, counted | found in the store |
| --- | ---: | ---: | ---: |
${telemetry.daemon
  .map(
    (of) =>
      `| ${of.signal} | ${number(of.delivered)} | ${number(of.dropped)} | ${number(of.inStore)} |`,
  )
  .join("\n")}

Spans: ${number(telemetry.spansKept)} kept and ${number(telemetry.spansLeftOut)} left out by the sampler. Metrics count ${number(telemetry.countedSent)} sends and ${number(telemetry.countedTaken)} handled messages (a send to four
receivers is one): what a killed process had done within the last 200 ms is not in them.

## Memory

Resident megabytes, and processor seconds so far.

| at s | ${run.samples[0].use.map(({ name }) => `${name} MB | CPU s`).join(" | ")} |
| ---: | ${run.samples[0].use.map(() => "---: | ---:").join(" | ")} |
${useRows(run.samples).join("\n")}
`;
}

function gapRow({ link, count, firstUnixMs, lastUnixMs, killed, isHead }: Gap): string {
  const cells = [
    number(count),
    number(lastUnixMs - firstUnixMs),
    killed ?? (isHead ? "neither: it had no link yet" : "**neither**"),
  ];
  return `| ${link.source}, ${link.target} | ${cells.join(" | ")} |`;
}

function signalRow(account: SignalAccount): string {
  const { received, stored, rejected, filtered, deduplicated, dropped, pending } = account.counts;
  const cells = [received, stored, rejected, filtered, deduplicated, dropped, pending].map(number);
  return `| ${account.signal} | ${cells.join(" | ")} | ${isBalanced(account) ? "yes" : "no"} |`;
}

function useRows(samples: readonly Sample[]): readonly string[] {
  const rows: string[] = [];
  let dueSeconds = 0;
  for (const { atSeconds, use } of samples) {
    if (atSeconds < dueSeconds) continue;
    dueSeconds += USE_EVERY_SECONDS;
    const cells = use.flatMap(({ residentMb, cpuSeconds }) => [residentMb, cpuSeconds]);
    rows.push(`| ${[atSeconds, ...cells].map(number).join(" | ")} |`);
  }
  return rows;
}

function deepestQueues({ deepest }: ChaosRun): readonly {
  readonly id: string;
  readonly deepest: number;
  readonly limit: number;
}[] {
  return NODES.map((id) => ({ id, deepest: deepest.get(id) ?? 0, limit: queueLimit(id) }));
}

/** What a process sends before it has been told where its receiver listens. */
function isUnlinked({ killed, isHead }: Gap): boolean {
  return killed === undefined && isHead;
}

function describeGaps(gaps: readonly Gap[]): string {
  const largest = Math.max(0, ...gaps.map(({ count }) => count));
  return `${number(countOf(gaps))} in ${number(gaps.length)} gaps, the largest ${number(largest)}`;
}

function countOf(gaps: readonly Gap[]): number {
  return gaps.reduce((total, { count }) => total + count, 0);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function micros(nanoseconds: number): string {
  return number(nanoseconds / 1000);
}

function number(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
