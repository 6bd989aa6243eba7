/** Looks at the running flow once a second through the coordinator's API. */
import { z } from "zod";
import { cpuSeconds, residentBytes } from "../../bench/process-usage.ts";
import type { BackgroundName } from "../../src/cli/pid-file.ts";
import { BACKGROUND_NAMES, PidFile } from "../../src/cli/pid-file.ts";

const NodeView = z.object({
  id: z.string(),
  state: z.string(),
  pid: z.number().nullable(),
  restarts: z.number(),
  rates: z.object({
    input_per_second: z.number(),
    output_per_second: z.number(),
    latency_p50_ns: z.number().nullable(),
    latency_p99_ns: z.number().nullable(),
    queued: z.number(),
    dropped: z.number(),
  }),
});
export type NodeView = z.infer<typeof NodeView>;
const FlowView = z.object({ id: z.string(), state: z.string(), nodes: z.array(NodeView) });
export type FlowView = z.infer<typeof FlowView>;

export class FlowClient {
  readonly #url: string;

  /** `url` of the coordinator. */
  constructor(url: string) {
    this.#url = `${url}/api/v1/dataflows/chaos`;
  }

  async view(): Promise<FlowView> {
    const response = await fetch(this.#url);
    const text = await response.text();
    if (!response.ok) throw new Error(`${this.#url}: ${response.status} ${text}`);
    return FlowView.parse(JSON.parse(text));
  }

  async setParameter(node: string, set: Readonly<Record<string, boolean>>): Promise<void> {
    const response = await fetch(`${this.#url}/nodes/${node}/parameters`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ set }),
    });
    if (!response.ok) throw new Error(`${node}: ${response.status} ${await response.text()}`);
  }
}

/** Resident memory and processor time so far of the three processes of ours. */
export interface ServiceUse {
  readonly name: BackgroundName;
  readonly residentMb: number;
  readonly cpuSeconds: number;
}

export async function readUse(stateFolder: string): Promise<readonly ServiceUse[]> {
  const uses: ServiceUse[] = [];
  for (const name of BACKGROUND_NAMES) {
    const pid = await new PidFile(stateFolder, name).runningPid();
    if (pid === undefined) throw new Error(`${name} does not run any more`);
    uses.push({ name, residentMb: residentBytes(pid) / 1e6, cpuSeconds: cpuSeconds(pid) });
  }
  return uses;
}
