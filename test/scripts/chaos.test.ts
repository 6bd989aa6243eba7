/** How a chaos run is judged: by what each process wrote down. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Judgement } from "../../scripts/chaos/judge.ts";
import { judge } from "../../scripts/chaos/judge.ts";
import type { LedgerEntry, ProcessLedger } from "../../scripts/chaos/ledger.ts";
import { LedgerWriter, readLedgers, SENT, TAKEN } from "../../scripts/chaos/ledger.ts";
import { isBalanced } from "../../scripts/chaos/telemetry-law.ts";
import type { FlowLink } from "../../scripts/chaos/topology.ts";
import { LINKS, NODES, QUEUE_SIZE, queueLimit, writeFlow } from "../../scripts/chaos/topology.ts";
import { parseDataflow } from "../../src/runtime/dataflow/parse-dataflow.ts";

const LINK: FlowLink = { source: "a", target: "b", input: 0, isDropping: false };
const KILLED_AT = 20_000;

/** A message each 10 ms from `fromMs` on. */
function sent(count: number, fromMs = 0, incarnation = 1): ProcessLedger {
  const entries = Array.from({ length: count }, (_, sequence): LedgerEntry => ({
    kind: SENT,
    input: 0,
    queued: 0,
    sequence,
    incarnation,
    atUnixMs: fromMs + sequence * 10,
  }));
  return { incarnation, entries };
}

function taken(sequences: readonly number[], incarnation = 1, process = 1): ProcessLedger {
  const entries: LedgerEntry[] = sequences.map((sequence) => ({
    kind: TAKEN,
    input: 0,
    queued: 0,
    sequence,
    incarnation,
    atUnixMs: 0,
  }));
  return { incarnation: process, entries };
}

function judgeOne(
  senders: readonly ProcessLedger[],
  receivers: readonly ProcessLedger[],
  killed?: string,
): Judgement {
  const ledgers = new Map([
    ["a", senders],
    ["b", receivers],
  ]);
  const kills =
    killed === undefined ? [] : [{ node: killed, atUnixMs: KILLED_AT, backAtUnixMs: KILLED_AT }];
  return judge([LINK], ledgers, kills);
}

describe("judge", () => {
  test("all that was sent and taken in order is as it should be", () => {
    expect(judgeOne([sent(4)], [taken([0, 1, 2, 3])])).toEqual({
      sent: 4,
      taken: 4,
      twice: 0,
      disordered: 0,
      invented: 0,
      gaps: [],
    });
  });

  test("a message that comes a second time is found, in a later process of the receiver too", () => {
    expect(judgeOne([sent(2)], [taken([0, 1, 1])])).toMatchObject({ twice: 1, disordered: 0 });
    expect(judgeOne([sent(2)], [taken([0]), taken([0, 1], 1, 2)])).toMatchObject({ twice: 1 });
  });

  test("a message that overtakes another is found", () => {
    const judgement = judgeOne([sent(3)], [taken([0, 2, 1])]);
    expect(judgement).toMatchObject({ twice: 0, disordered: 1, gaps: [] });
  });

  test("a message of a process before is out of order behind one of the next", () => {
    const old = taken([0]).entries;
    const fresh = taken([0], 2).entries;
    const receiver = { incarnation: 1, entries: [...fresh, ...old] };
    expect(judgeOne([sent(1), sent(1, 0, 2)], [receiver])).toMatchObject({ disordered: 1 });
  });

  test("a message that nobody sent is found", () => {
    expect(judgeOne([sent(1)], [taken([0, 1])])).toMatchObject({ invented: 1 });
    expect(judgeOne([sent(1)], [taken([0], 7)])).toMatchObject({ invented: 1 });
  });

  test.each([
    ["just before its receiver was killed", KILLED_AT - 20, "b", "receiver"],
    ["before its sender was killed, which went on sending", KILLED_AT - 20, "a", undefined],
    ["while the sender had not been told", KILLED_AT + 400, "b", "receiver"],
    ["when the sender had been told for long", KILLED_AT + 600, "b", undefined],
    ["long before the kill", KILLED_AT - 6000, "b", undefined],
    ["beside the kill of a third node", KILLED_AT, "c", undefined],
  ])("messages lost %s are told apart", (_, fromMs, node, killed) => {
    const { gaps } = judgeOne([sent(4, fromMs)], [taken([0, 3])], node);
    expect(gaps).toMatchObject([{ count: 2, killed, firstUnixMs: fromMs + 10 }]);
  });

  test("the end of what a killed sender sent lay in its outbox, however long", () => {
    const { gaps } = judgeOne([sent(4, KILLED_AT - 9000)], [taken([0, 1])], "a");
    expect(gaps).toMatchObject([{ count: 2, killed: "sender", isTail: true }]);
    const later = judgeOne([sent(4, KILLED_AT + 10)], [taken([0, 1])], "a");
    expect(later.gaps).toMatchObject([{ count: 2, killed: undefined }]);
  });

  test("what a sender lost that began after its receiver was killed is no loss of that kill", () => {
    const { gaps } = judgeOne([sent(4, KILLED_AT + 10)], [taken([2, 3])], "b");
    expect(gaps).toMatchObject([{ count: 2, isHead: true, killed: undefined }]);
  });

  test("what nobody took at the end is a gap", () => {
    expect(judgeOne([sent(4)], [taken([0])]).gaps).toMatchObject([{ count: 3 }]);
    expect(judgeOne([sent(4)], []).gaps).toMatchObject([{ count: 4 }]);
  });
});

describe("ledgers", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "dora-ledger-"))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("what was written is read, by node, the oldest process first", () => {
    const entry = { kind: TAKEN, input: 3, queued: 50, sequence: 7, incarnation: 1.5 } as const;
    for (const incarnation of [1000, 999]) {
      const writer = new LedgerWriter(folder, "w1", incarnation);
      writer.write(entry);
      writer.close();
    }
    const ledgers = readLedgers(folder);
    expect([...ledgers.keys()]).toEqual(["w1"]);
    expect(ledgers.get("w1")).toMatchObject([
      { incarnation: 999, entries: [entry] },
      { incarnation: 1000, entries: [entry] },
    ]);
  });
});

test("the flow has twenty nodes, and its file is a good one", () => {
  const text = writeFlow({ program: "node.ts", ledgers: "ledgers", rate: 3400 });
  const result = parseDataflow(text, { environment: {} });
  if (result.status === "invalid") throw new Error(JSON.stringify(result.problems));
  const { nodes } = result.dataflow;
  expect(result.warnings).toEqual([]);
  expect(nodes.map(({ id }) => id)).toEqual(NODES);
  expect(NODES).toHaveLength(20);
  expect(LINKS.filter(({ target }) => target === "join").map(({ source }) => source)).toEqual([
    "w1",
    "w2",
    "w3",
    "w4",
  ]);
  expect(nodes[0].parameters).toMatchObject({ rate: 100 });
  expect(queueLimit("join")).toBe(4 * QUEUE_SIZE);
});

test("an account is balanced only where all that was received is somewhere", () => {
  const counts = { received: 3, stored: 1, rejected: 0, filtered: 0, deduplicated: 0 };
  const rest = { dropped: 1, expired: 0, damaged: 0 };
  expect(isBalanced({ signal: "logs", counts: { ...counts, ...rest, pending: 1 } })).toBe(true);
  expect(isBalanced({ signal: "logs", counts: { ...counts, ...rest, pending: 0 } })).toBe(false);
});
