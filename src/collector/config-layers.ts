import { SIGNALS } from "../core/record.ts";
import { readOtelEnvironment } from "./config-environment.ts";
import type { Environment } from "./config-file.ts";
import type { ConfigMap, ConfigNode, ConfigPath, Origin } from "./config-node.ts";
import { DEFAULT_ORIGIN, entriesAt, nodeAt, originAt, setAt, toConfigNode } from "./config-node.ts";
import type { Section } from "./config-schema.ts";

/** The flags of `dora serve`. */
export interface ServeFlags {
  readonly config?: string | undefined;
  readonly dataDir?: string | undefined;
  readonly otlpGrpc?: string | undefined;
  readonly otlpHttp?: string | undefined;
  readonly api?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly insecureListen?: boolean | undefined;
  readonly retention?: string | undefined;
  readonly logLevel?: string | undefined;
}

/** Name of the authenticator that `--token-file` and `DORA_TOKEN_FILE` make. */
const TOKEN_FILE_AUTHENTICATOR = "bearertokenauth/token-file";

/** The configuration of `dora serve` without a file. */
export function defaultLayer(): ConfigMap {
  const pipeline = {
    receivers: ["otlp"],
    processors: ["memory_limiter"],
    exporters: ["log_store"],
  };
  const plain = {
    extensions: { query_api: {} },
    receivers: { otlp: { protocols: { grpc: {}, http: {} } } },
    processors: { memory_limiter: {} },
    exporters: { log_store: {} },
    connectors: {},
    service: {
      extensions: ["query_api"],
      pipelines: Object.fromEntries(SIGNALS.map((signal) => [signal, pipeline])),
    },
  };
  const node = toConfigNode(plain, DEFAULT_ORIGIN);
  return node.kind === "map" ? node : { kind: "map", entries: new Map(), origin: DEFAULT_ORIGIN };
}

/** Lays what the environment says over a configuration. An empty variable is unset. */
export function applyEnvironment(root: ConfigMap, env: Environment): void {
  const level = readOtelEnvironment(env).logLevel;
  if (level !== undefined) {
    apply(root, "logLevel", level, { kind: "environment", variable: "OTEL_LOG_LEVEL" });
  }
  for (const [setting, variable] of VARIABLES) {
    const value = env[variable] ?? "";
    if (value !== "") apply(root, setting, value, { kind: "environment", variable });
  }
}

/** Lays the flags over a configuration. */
export function applyFlags(root: ConfigMap, flags: ServeFlags): void {
  for (const [setting, flag] of FLAGS) {
    const value = flags[setting];
    if (value !== undefined) apply(root, setting, value, { kind: "flag", flag });
  }
}

type Setting = Exclude<keyof ServeFlags, "config" | "insecureListen">;

// In this order: what switches a listener on stands before what every listener gets.
const FLAGS = [
  ["dataDir", "--data-dir"],
  ["retention", "--retention"],
  ["logLevel", "--log-level"],
  ["otlpGrpc", "--otlp-grpc"],
  ["otlpHttp", "--otlp-http"],
  ["api", "--api"],
  ["tokenFile", "--token-file"],
  ["tlsCert", "--tls-cert"],
  ["tlsKey", "--tls-key"],
] as const satisfies readonly (readonly [Setting, string])[];

const VARIABLES = [
  ["dataDir", "DORA_DATA_DIR"],
  ["retention", "DORA_RETENTION"],
  ["logLevel", "DORA_LOG_LEVEL"],
  ["otlpGrpc", "DORA_OTLP_GRPC"],
  ["otlpHttp", "DORA_OTLP_HTTP"],
  ["api", "DORA_API"],
  ["tokenFile", "DORA_TOKEN_FILE"],
] as const satisfies readonly (readonly [Setting, string])[];

function apply(root: ConfigMap, setting: Setting, value: string, origin: Origin): void {
  const set = (path: readonly string[]) => setAt(root, path, { kind: "scalar", value, origin });
  switch (setting) {
    case "dataDir":
      return set(["exporters", usedId(root, "exporters", "log_store"), "directory"]);
    case "retention":
      return set(["exporters", usedId(root, "exporters", "log_store"), "retention"]);
    case "logLevel":
      return set(["service", "telemetry", "logs", "level"]);
    case "otlpGrpc":
      return set([...otlpProtocols(root), "grpc", "endpoint"]);
    case "otlpHttp":
      return set([...otlpProtocols(root), "http", "endpoint"]);
    case "api":
      enableExtension(root, usedId(root, "extensions", "query_api"), origin);
      return set(["extensions", usedId(root, "extensions", "query_api"), "endpoint"]);
    case "tokenFile":
      set(["extensions", TOKEN_FILE_AUTHENTICATOR, "filename"]);
      enableExtension(root, TOKEN_FILE_AUTHENTICATOR, origin);
      for (const path of listenerPaths(root)) {
        const name: ConfigNode = { kind: "scalar", value: TOKEN_FILE_AUTHENTICATOR, origin };
        setAt(root, [...path, "auth", "authenticator"], name);
      }
      return undefined;
    case "tlsCert":
      for (const path of listenerPaths(root)) set([...path, "tls", "cert_file"]);
      return undefined;
    case "tlsKey":
      for (const path of listenerPaths(root)) set([...path, "tls", "key_file"]);
      return undefined;
  }
}

/**
 * The id of the component of a type that runs: the first that a pipeline or `service.extensions`
 * names, else the type's own name.
 */
export function usedId(root: ConfigMap, section: Section, type: string): string {
  const lists =
    section === "extensions"
      ? [nodeAt(root, ["service", "extensions"])]
      : [...entriesAt(root, ["service", "pipelines"]).values()].map(({ node }) =>
          nodeAt(node, [section]),
        );
  for (const list of lists) {
    for (const name of namesIn(list)) if (componentType(name) === type) return name;
  }
  return type;
}

/** The type of a component's id: `otlp` of `otlp/robots`. */
export function componentType(id: string): string {
  return id.split("/", 1)[0] ?? id;
}

/** The names in a list of a configuration; what is no text in it is left out. */
export function namesIn(node: ConfigNode | undefined): readonly string[] {
  if (node?.kind !== "list") return [];
  return node.items.flatMap((item) =>
    item.kind === "scalar" && typeof item.value === "string" ? [item.value] : [],
  );
}

function otlpProtocols(root: ConfigMap): readonly string[] {
  return ["receivers", usedId(root, "receivers", "otlp"), "protocols"];
}

/** Everything that listens: the protocols that are on, and the query API if it runs. */
function listenerPaths(root: ConfigMap): readonly (readonly string[])[] {
  const protocols = otlpProtocols(root);
  const api = ["extensions", usedId(root, "extensions", "query_api")];
  const running: ConfigPath = ["service", "extensions"];
  const isApiOn = namesIn(nodeAt(root, running)).some((id) => componentType(id) === "query_api");
  const isOn = entriesAt(root, protocols);
  return [
    ...(isOn.has("grpc") ? [[...protocols, "grpc"]] : []),
    ...(isOn.has("http") ? [[...protocols, "http"]] : []),
    ...(isApiOn ? [api] : []),
  ];
}

function enableExtension(root: ConfigMap, id: string, origin: Origin): void {
  const path = ["service", "extensions"];
  const list = nodeAt(root, path);
  if (namesIn(list).includes(id)) return;
  if (list !== undefined && list.kind !== "list") return;
  const added: ConfigNode = { kind: "scalar", value: id, origin };
  const items = list === undefined ? [added] : [...list.items, added];
  setAt(root, path, { kind: "list", items, origin: originAt(root, path) });
}
