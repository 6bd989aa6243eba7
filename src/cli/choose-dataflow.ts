import { AppError } from "../core/errors.ts";
import type { DataflowAnswer } from "../runtime/coordinator/coordinator.ts";
import { isEnded } from "../runtime/coordinator/dataflow-registry.ts";
import type { CoordinatorClient } from "./coordinator-client.ts";

/**
 * The dataflow that is meant: by name, id, or the start of an id that is of no other; where none is named, the
 * only one that runs.
 *
 * Errors: `NOT_FOUND`; `DATAFLOW_AMBIGUOUS` with the candidates.
 */
export async function chooseDataflow(
  client: CoordinatorClient,
  flow: string | undefined,
): Promise<DataflowAnswer> {
  if (flow !== undefined) return client.find(flow);
  const running = await runningDataflows(client);
  const [only] = running;
  if (only === undefined) {
    throw new AppError("NOT_FOUND", "no dataflow runs", {
      hint: "start one with `dora start FILE`; `dora list` shows those that have ended",
    });
  }
  if (running.length === 1) return only;
  const lines = running.map(({ id, name, state }) => `  ${id}  ${name} (${state})`);
  const message = `${running.length} dataflows run; say which is meant:\n${lines.join("\n")}`;
  throw new AppError("DATAFLOW_AMBIGUOUS", message);
}

export async function runningDataflows(
  client: CoordinatorClient,
): Promise<readonly DataflowAnswer[]> {
  return (await client.list()).filter(({ state }) => !isEnded(state));
}
