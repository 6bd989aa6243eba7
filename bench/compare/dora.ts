/** Ours: `dora serve` as users run it, filled and asked over HTTP. */
import { join } from "node:path";
import { type ServeProcess, startServe } from "../../test/serve-process.ts";
import { readRequests } from "../load-file.ts";
import { ask, readAnswer } from "../our-answers.ts";
import { cpuSeconds, folderBytes } from "../process-usage.ts";
import type { QueryClass } from "../query-classes.ts";
import { HttpSender, sendAll } from "../senders.ts";
import { waitUntilSettled } from "../service-status.ts";
import type { Contestant, LoadFigure, Setting, Usage } from "./contestant.ts";
import { measureFromOutside } from "./process-cpu.ts";

const CONNECTIONS = 8;
/** The last rows are sealed after 30 s; merges come after that. */
const SETTLED_TIMEOUT_MS = 180_000;

export class Dora implements Contestant {
  readonly name = "dora";
  readonly route = "service over HTTP";
  readonly version: string;
  readonly #service: ServeProcess;
  readonly #setting: Setting;

  private constructor(service: ServeProcess, setting: Setting) {
    this.#service = service;
    this.#setting = setting;
    this.version = `this checkout on Node ${process.versions.node}`;
  }

  static async start(setting: Setting): Promise<Dora> {
    const service = await startServe({ dataDirectory: join(setting.directory, "store") });
    return new Dora(service, setting);
  }

  get pid(): number {
    return this.#service.pid;
  }

  async load(): Promise<readonly LoadFigure[]> {
    const { recordCount, otlpFile } = this.#setting;
    const sender = new HttpSender(this.#service.otlpHttp, CONNECTIONS);
    const cpuBefore = cpuSeconds(this.pid);
    const startedMs = performance.now();
    await sendAll(readRequests(otlpFile), sender, CONNECTIONS);
    const wallSeconds = (performance.now() - startedMs) / 1000;
    sender.close();
    const isSettled = await waitUntilSettled(this.#service.api, SETTLED_TIMEOUT_MS);
    if (!isSettled) throw new Error("the store still seals or merges");
    const how =
      "OTLP/HTTP, each request synced before its answer; CPU until all is sealed and merged";
    return [{ how, rows: recordCount, wallSeconds, cpuSeconds: cpuSeconds(this.pid) - cpuBefore }];
  }

  formsOf({ ours }: QueryClass): readonly string[] {
    return [ours.query];
  }

  ask({ ours }: QueryClass): Promise<Usage> {
    return measureFromOutside(this.pid, () => ask(this.#service.api, ours));
  }

  async answer({ ours }: QueryClass): Promise<readonly string[]> {
    return readAnswer(ours, await ask(this.#service.api, ours));
  }

  /** The journal too, of which the last file stays. */
  async diskBytes(): Promise<number> {
    const entries = await folderBytes(this.#service.dataDirectory);
    return [...entries.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  async close(): Promise<void> {
    await this.#service.close();
  }
}
