import { z } from "zod";
import { AppError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest-name.ts";
import type { NodeStatus } from "../protocol/status.ts";
import {
  BuildSchema,
  DaemonListSchema,
  DataflowAnswerSchema,
  DataflowListSchema,
  LinkListSchema,
  NodeListSchema,
} from "./answer-schema.ts";
import type { Coordinator, DataflowAnswer } from "./coordinator.ts";
import type { Route } from "./route.ts";
import { getRoute, postRoute } from "./route.ts";
import { NodeStatusSchema } from "./status-schema.ts";

const TEXT_LENGTH_MAX = 1024 * 1024;
const GRACE_MS_MAX = 24 * 3600 * 1000;
const NAMES_MAX = 1000;

const name = z.string({ error: "give it as text" }).min(1).max(512);
const text = z.string({ error: "give it as text" }).max(TEXT_LENGTH_MAX);
const environment = z.record(name, z.string().max(128 * 1024));
const scalar = z.union([z.boolean(), z.number(), z.string()]);
const node = name.optional();

const start = {
  /** The text of the dataflow file. */
  text,
  /** Where it stands on the daemon's machine: an absolute path. */
  file: z.string().min(1).max(4096),
  environment: environment.optional(),
  machine: name.optional(),
};
const link = z.object({
  source: z.object({ node: name, output: name }),
  target: z.object({ node: name, input: name }),
});
const nothing = z.object({});

const DATAFLOWS = "/api/v1/dataflows";
const DATAFLOW = `${DATAFLOWS}/:dataflow`;
const NODE = `${DATAFLOW}/nodes/:node`;

/** All routes that concern dataflows. Source: docs/coordinator-api.md */
export function coordinatorRoutes(coordinator: Coordinator): readonly Route[] {
  return [
    ...dataflowRoutes(coordinator),
    ...nodeRoutes(coordinator),
    ...linkRoutes(coordinator),
    getRoute("/api/v1/daemons", "The daemons that are connected", DaemonListSchema, () => ({
      daemons: coordinator.daemons(),
    })),
  ];
}

function dataflowRoutes(coordinator: Coordinator): readonly Route[] {
  const answer = DataflowAnswerSchema;
  return [
    getRoute(
      DATAFLOWS,
      "All dataflows that run, then those that have ended",
      DataflowListSchema,
      () => ({
        dataflows: coordinator.list(),
      }),
    ),
    postRoute(
      DATAFLOWS,
      {
        summary: "Start a dataflow",
        body: z.object({ ...start, name: name.optional(), build: z.boolean().optional() }),
        answer,
        status: 201,
      },
      (_, body) => coordinator.start(body),
    ),
    postRoute(
      "/api/v1/builds",
      {
        summary: "Run the build lines of a dataflow file",
        body: z.object(start),
        answer: BuildSchema,
        status: 201,
      },
      (_, body) => coordinator.build(body),
    ),
    getRoute(DATAFLOW, "One dataflow: by its id, name, or the start of its id", answer, (path) =>
      coordinator.find(path.dataflow),
    ),
    postRoute(
      `${DATAFLOW}/stop`,
      {
        summary: "Stop a dataflow",
        body: z.object({
          graceMs: z.number().min(0).max(GRACE_MS_MAX).optional(),
          force: z.boolean().optional(),
        }),
        answer,
      },
      (path, body) => coordinator.stop(path.dataflow, body),
    ),
    postRoute(
      `${DATAFLOW}/pause`,
      { summary: "Pause a dataflow, or one of its nodes", body: z.object({ node }), answer },
      (path, body) => coordinator.setPaused(path.dataflow, true, body.node),
    ),
    postRoute(
      `${DATAFLOW}/resume`,
      { summary: "Resume a dataflow, or one of its nodes", body: z.object({ node }), answer },
      (path, body) => coordinator.setPaused(path.dataflow, false, body.node),
    ),
    postRoute(
      `${DATAFLOW}/restart`,
      {
        summary: "Stop a dataflow and start it anew, under a new id",
        body: z.object({
          text: text.optional(),
          environment: environment.optional(),
          build: z.boolean().optional(),
        }),
        answer,
        status: 201,
      },
      (path, { text: newText, environment: variables, build }) =>
        coordinator.restart(path.dataflow, {
          ...(newText === undefined ? {} : { text: newText }),
          ...(variables === undefined ? {} : { environment: variables }),
          ...(build === undefined ? {} : { build }),
        }),
    ),
    postRoute(
      `${DATAFLOW}/reload`,
      {
        summary: "Have nodes load anew what they can while they run",
        body: z.object({ node }),
        answer,
      },
      (path, body) => coordinator.reload(path.dataflow, body.node),
    ),
  ];
}

function nodeRoutes(coordinator: Coordinator): readonly Route[] {
  const change = (
    action: string,
    method: "restart-node" | "stop-node" | "reload-node",
    summary: string,
  ): Route =>
    postRoute(
      `${NODE}/${action}`,
      { summary, body: nothing, answer: NodeStatusSchema },
      async (path) => {
        const id = findNode(coordinator.find(path.dataflow), path.node).id;
        const request = (dataflow: string) => ({ method, dataflow, node: id });
        return findNode(await coordinator.change(path.dataflow, request), id);
      },
    );
  return [
    getRoute(`${DATAFLOW}/nodes`, "The nodes of a dataflow", NodeListSchema, (path) => ({
      nodes: coordinator.find(path.dataflow).nodes,
    })),
    getRoute(NODE, "One node, by its id or display name", NodeStatusSchema, (path) =>
      findNode(coordinator.find(path.dataflow), path.node),
    ),
    change("restart", "restart-node", "Restart a node"),
    change("stop", "stop-node", "Stop a node"),
    change("reload", "reload-node", "Have a node load anew what it can"),
    postRoute(
      `${NODE}/parameters`,
      {
        summary: "Set and delete parameters of a node",
        body: z.object({
          set: z.record(name, z.union([scalar, z.array(scalar).max(10_000)])).default({}),
          deleted: z.array(name).max(NAMES_MAX).default([]),
        }),
        answer: NodeStatusSchema,
      },
      async (path, { set, deleted }) => {
        const id = findNode(coordinator.find(path.dataflow), path.node).id;
        const after = await coordinator.change(path.dataflow, (dataflow) => ({
          method: "set-parameters",
          dataflow,
          node: id,
          set,
          deleted,
        }));
        return findNode(after, id);
      },
    ),
    postRoute(
      `${NODE}/data_format`,
      {
        summary: "Change the data format of a node's outputs",
        body: z.object({ format: name }),
        answer: NodeStatusSchema,
      },
      async (path, { format }) => {
        const id = findNode(coordinator.find(path.dataflow), path.node).id;
        const after = await coordinator.change(path.dataflow, (dataflow) => ({
          method: "set-data-format",
          dataflow,
          node: id,
          format,
        }));
        return findNode(after, id);
      },
    ),
  ];
}

function linkRoutes(coordinator: Coordinator): readonly Route[] {
  const change = (method: "connect" | "disconnect", summary: string): Route =>
    postRoute(
      `${DATAFLOW}/links/${method}`,
      { summary, body: link, answer: LinkListSchema },
      async (path, { source, target }) => {
        const before = coordinator.find(path.dataflow);
        const request = {
          source: { ...source, node: findNode(before, source.node).id },
          target: { ...target, node: findNode(before, target.node).id },
        };
        const after = await coordinator.change(path.dataflow, (dataflow) => ({
          method,
          dataflow,
          ...request,
        }));
        return { links: after.links };
      },
    );
  return [
    getRoute(`${DATAFLOW}/links`, "The links of a dataflow", LinkListSchema, (path) => ({
      links: coordinator.find(path.dataflow).links,
    })),
    change("connect", "Connect an output to an input while the dataflow runs"),
    change("disconnect", "Take a link away while the dataflow runs"),
  ];
}

/** By id, else by display name. Errors: `NOT_FOUND` with the nearest, `DATAFLOW_AMBIGUOUS`. */
function findNode(dataflow: DataflowAnswer, wanted: string): NodeStatus {
  const exact = dataflow.nodes.find(({ id }) => id === wanted);
  if (exact !== undefined) return exact;
  const named = dataflow.nodes.filter((one) => one.name === wanted);
  const [found] = named;
  if (found !== undefined && named.length === 1) return found;
  const ids = dataflow.nodes.map(({ id }) => id);
  if (named.length > 1) {
    const which = named.map(({ id }) => id).join(", ");
    throw new AppError("DATAFLOW_AMBIGUOUS", `"${wanted}" is the name of several nodes: ${which}`);
  }
  throw new AppError(
    "NOT_FOUND",
    `dataflow ${dataflow.name} has no node "${wanted}"${didYouMean(wanted, ids)}`,
    { hint: `its nodes are: ${ids.join(", ")}` },
  );
}
