import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { TokenAuthenticator } from "../../../src/collector/authentication.ts";
import { CoordinatorServer } from "../../../src/runtime/coordinator/coordinator-server.ts";
import { Coordinator } from "../../../src/runtime/coordinator/coordinator.ts";
import type { CoordinatorLimits } from "../../../src/runtime/coordinator/limits.ts";
import { COORDINATOR_LIMITS } from "../../../src/runtime/coordinator/limits.ts";
import { silentLogger } from "../../../src/telemetry/logger.ts";

export interface TestCoordinator {
  readonly url: string;
  readonly stateFile: string;
  readonly server: CoordinatorServer;
  readonly coordinator: Coordinator;
  readonly get: (path: string) => Promise<Answer>;
  readonly post: (path: string, body?: unknown) => Promise<Answer>;
  /** Keeps the state file, for another to come back with it. */
  close(): Promise<void>;
}

const FLOW = {
  id: z.string().default(""),
  name: z.string().default(""),
  state: z.string().default(""),
  is_daemon_connected: z.boolean().default(false),
};

/** What answers may have; each has a part of it. */
const AnswerBody = z.looseObject({
  ...FLOW,
  error: z
    .object({ code: z.string(), message: z.string(), hint: z.string() })
    .default({ code: "", message: "", hint: "" }),
  dataflows: z.array(z.looseObject(FLOW)).default([]),
  daemons: z.array(z.looseObject({})).default([]),
});

export interface Answer {
  readonly status: number;
  readonly body: z.output<typeof AnswerBody>;
}

export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "dora-coordinator-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export async function startCoordinator(
  folder: string,
  options: {
    readonly limits?: Partial<CoordinatorLimits>;
    readonly authenticator?: TokenAuthenticator;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Promise<TestCoordinator> {
  const limits = { ...COORDINATOR_LIMITS, statusIntervalMs: 50, ...options.limits };
  const stateFile = join(folder, "coordinator.json");
  const coordinator = await Coordinator.open({ stateFile, log: silentLogger, limits });
  const { authenticator, headers = {} } = options;
  const server = await CoordinatorServer.start({
    host: "127.0.0.1",
    port: 0,
    coordinator,
    version: "0.1.0",
    limits,
    log: silentLogger,
    ...(authenticator === undefined ? {} : { authenticator }),
  });
  const ask = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(`${server.url}${path}`, init);
    const body = AnswerBody.parse(await response.json());
    return { status: response.status, body };
  };
  return {
    url: server.url,
    stateFile,
    server,
    coordinator,
    get: (path) => ask(path, { headers }),
    post: (path, body = {}) =>
      ask(path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    close: async () => {
      await server.close(500);
      await coordinator.close();
    },
  };
}
