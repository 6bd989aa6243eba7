/** Asks all contestants the same questions, in turn, once their answers are known to be equal. */
import { performance } from "node:perf_hooks";
import type { QueryClass } from "../query-classes.ts";
import type { Contestant, Usage } from "./contestant.ts";

export interface Timing {
  readonly minMs: number;
  readonly medianMs: number;
  /** Of one run, on average. */
  readonly cpuMs: number;
}

export type Outcome =
  | { readonly status: "measured"; readonly form: string; readonly timing: Timing }
  /** The contestant has no way to ask that. */
  | { readonly status: "cannot ask" }
  /** It was asked, and no form gave our answer. Not measured. */
  | { readonly status: "differs"; readonly difference: string };

export interface QuestionResult {
  readonly name: string;
  /** The count, or how many rows. */
  readonly answer: string;
  /** By the contestant's name. */
  readonly outcomes: { readonly [name: string]: Outcome };
}

/** A slow contestant is asked less often: no more runs than fit in this time, but three. */
const RUNS_WALL_MS_MAX = 30_000;
const RUNS_MIN = 3;

interface Entrant {
  readonly contestant: Contestant;
  readonly form: string;
  readonly usages: Usage[];
  spentMs: number;
}

/** The first contestant's answer is the one that all others must give. */
export async function measureQuestion(
  question: QueryClass,
  contestants: readonly Contestant[],
  runCount: number,
): Promise<QuestionResult> {
  const [first, ...others] = contestants;
  if (first === undefined) throw new Error("a comparison needs a contestant");
  const [firstForm = ""] = first.formsOf(question);
  const expected = await first.answer(question, firstForm);
  const outcomes: { [name: string]: Outcome } = {};
  const entrants: Entrant[] = [{ contestant: first, form: firstForm, usages: [], spentMs: 0 }];
  for (const contestant of others) {
    const found = await findForm(question, contestant, expected);
    if (found.status === "found") {
      entrants.push({ contestant, form: found.form, usages: [], spentMs: 0 });
    } else outcomes[contestant.name] = found;
  }
  for (let run = 0; run < runCount; run++) {
    // Each begins as often as any other: who follows whom may matter to the processor's caches.
    for (let place = 0; place < entrants.length; place++) {
      const entrant = entrants[(run + place) % entrants.length];
      if (entrant !== undefined) await runOnce(question, entrant);
    }
  }
  for (const { contestant, form, usages } of entrants) {
    outcomes[contestant.name] = { status: "measured", form, timing: summarise(usages) };
  }
  const answer = question.compare === "count" ? (expected[0] ?? "") : `${expected.length} rows`;
  return { name: question.name, answer, outcomes };
}

type Found =
  | { readonly status: "found"; readonly form: string }
  | Exclude<Outcome, { readonly status: "measured" }>;

async function findForm(
  question: QueryClass,
  contestant: Contestant,
  expected: readonly string[],
): Promise<Found> {
  let difference: string | undefined;
  for (const form of contestant.formsOf(question)) {
    const answer = await contestant.answer(question, form);
    const index = expected.findIndex((row, position) => row !== answer[position]);
    if (index < 0 && expected.length === answer.length) return { status: "found", form };
    difference = `${answer.length} rows for ${expected.length}, row ${index}: ${answer[index]} for ${expected[index]}`;
  }
  return difference === undefined ? { status: "cannot ask" } : { status: "differs", difference };
}

async function runOnce(question: QueryClass, entrant: Entrant): Promise<void> {
  const { contestant, form, usages } = entrant;
  if (usages.length >= RUNS_MIN && entrant.spentMs > RUNS_WALL_MS_MAX) return;
  const startedMs = performance.now();
  usages.push(await contestant.ask(question, form));
  entrant.spentMs += performance.now() - startedMs;
}

function summarise(usages: readonly Usage[]): Timing {
  const walls = usages.map(({ wallMs }) => wallMs).toSorted((left, right) => left - right);
  return {
    minMs: walls[0] ?? 0,
    medianMs: walls[Math.floor(walls.length / 2)] ?? 0,
    cpuMs: usages.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / usages.length,
  };
}
