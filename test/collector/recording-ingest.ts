import type { AppendRequest, AppendResult, Ingest } from "../../src/log-store/ingest.ts";

export const STORED = {
  status: "stored",
  receivedCount: 1,
  rejectedCount: 0,
  message: "",
} as const satisfies AppendResult;

/** Keeps what it was handed and answers as it was told. */
export class RecordingIngest implements Ingest {
  readonly requests: AppendRequest[] = [];
  /** What every append gives; an error is thrown. */
  result: AppendResult | Error = STORED;
  /** While set, an append waits for it. */
  gate: Promise<void> | undefined;
  /** So many appends are refused first, as unavailable. */
  refusalsLeft = 0;

  async append(request: AppendRequest): Promise<AppendResult> {
    if (this.refusalsLeft > 0) {
      this.refusalsLeft -= 1;
      return { status: "unavailable", message: "not yet", retryAfterMs: 10 };
    }
    this.requests.push({ ...request, body: Uint8Array.from(request.body) });
    if (this.gate !== undefined) await this.gate;
    if (this.result instanceof Error) throw this.result;
    return this.result;
  }

  /** The bodies as text. */
  get texts(): string[] {
    return this.requests.map(({ body }) => Buffer.from(body).toString());
  }
}
