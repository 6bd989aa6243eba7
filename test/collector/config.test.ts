import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { ServeConfig, ServeFlags } from "../../src/collector/config.ts";
import { defaultDataDirectory, loadConfig } from "../../src/collector/config.ts";
import { AppError } from "../../src/core/errors.ts";

const directory = mkdtempSync(join(tmpdir(), "dora-config-"));
afterAll(() => rmSync(directory, { recursive: true }));

const HOME = { HOME: "/home/user" };
let fileCount = 0;

function load(
  yaml: string | undefined,
  flags: ServeFlags = {},
  env: Readonly<Record<string, string>> = {},
): ServeConfig {
  if (yaml === undefined) return loadConfig({ flags, env: { ...HOME, ...env } });
  const file = join(directory, `dora-${fileCount++}.yaml`);
  writeFileSync(file, yaml);
  return loadConfig({ file, flags, env: { ...HOME, ...env } });
}

/** The faults that loading ends with, file names cut to `dora.yaml`. */
function faults(...given: Parameters<typeof load>): string[] {
  try {
    load(...given);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.code).toBe("CONFIG_INVALID");
    const message = error.message.replaceAll(/[^\s(]*dora-\d+\.yaml/g, "dora.yaml");
    const [first = "", ...lines] = message.split("\n");
    return lines.length === 0
      ? [first.replace("the configuration has a fault: ", "")]
      : lines.map((line) => line.trim());
  }
  throw new Error("the configuration was accepted");
}

describe("without a file", () => {
  test("everything has a default, on the loopback address alone (SEC-001)", () => {
    const config = load(undefined);
    expect(config).toMatchObject({
      dataDirectory: "/home/user/.local/share/dora",
      retentionMs: 7 * 86_400_000,
      signals: ["logs", "traces", "metrics"],
      otlpGrpc: { host: "127.0.0.1", port: 4317, tls: undefined, token: undefined },
      otlpHttp: { host: "127.0.0.1", port: 4318, requestBytesMax: 64 * 1024 * 1024 },
      api: { host: "127.0.0.1", port: 6014 },
      logLevel: "info",
      warnings: [],
    });
    expect(config.memory.spikeBytes).toBeLessThan(config.memory.hardLimitBytes);
    expect(config.memory.inFlightBytesMax).toBeGreaterThan(64 * 1024 * 1024);
  });

  test("XDG_DATA_HOME moves the store, a relative one is ignored", () => {
    expect(defaultDataDirectory({ ...HOME, XDG_DATA_HOME: "/data" })).toBe("/data/dora");
    expect(defaultDataDirectory({ ...HOME, XDG_DATA_HOME: "data" })).toBe(
      "/home/user/.local/share/dora",
    );
  });
});

describe("layers", () => {
  const yaml = "exporters: { log_store: { directory: /file, retention: 30d } }";

  test("the environment wins over the file, and a flag over both", () => {
    expect(load(yaml).dataDirectory).toBe("/file");
    expect(load(yaml, {}, { DORA_DATA_DIR: "/env" }).dataDirectory).toBe("/env");
    expect(load(yaml, { dataDir: "/flag" }, { DORA_DATA_DIR: "/env" }).dataDirectory).toBe("/flag");
    expect(load(yaml, { dataDir: "/flag" }).retentionMs).toBe(30 * 86_400_000);
  });

  test("an empty variable is unset", () => {
    expect(load(yaml, {}, { DORA_DATA_DIR: "", DORA_CONFIG: "" }).dataDirectory).toBe("/file");
  });

  test("every flag reaches its setting", () => {
    const config = load(undefined, {
      dataDir: "/d",
      otlpGrpc: "127.0.0.1:1",
      otlpHttp: "[::1]:2",
      api: "localhost:3",
      tokenFile: "/token",
      tlsCert: "/cert",
      tlsKey: "/key",
      retention: "none",
      logLevel: "WARNING",
    });
    const both = {
      tls: { certFile: "/cert", keyFile: "/key" },
      token: { kind: "file", path: "/token" },
    };
    expect(config).toMatchObject({
      dataDirectory: "/d",
      otlpGrpc: { host: "127.0.0.1", port: 1, ...both },
      otlpHttp: { host: "::1", port: 2, ...both },
      api: { host: "localhost", port: 3, ...both },
      retentionMs: undefined,
      logLevel: "warn",
    });
  });

  test("every variable reaches its setting", () => {
    const config = load(
      undefined,
      {},
      {
        DORA_OTLP_GRPC: "127.0.0.1:1",
        DORA_OTLP_HTTP: "127.0.0.1:2",
        DORA_API: "127.0.0.1:3",
        DORA_TOKEN_FILE: "/token",
        DORA_RETENTION: "12h",
        DORA_LOG_LEVEL: "debug",
        OTEL_LOG_LEVEL: "error",
      },
    );
    expect(config).toMatchObject({
      otlpGrpc: { port: 1, token: { kind: "file", path: "/token" } },
      otlpHttp: { port: 2, token: { kind: "file", path: "/token" } },
      api: { port: 3, token: { kind: "file", path: "/token" } },
      retentionMs: 12 * 3_600_000,
      logLevel: "debug",
    });
  });

  test("DORA_CONFIG names the file, --config wins over it", () => {
    const file = join(directory, "by-variable.yaml");
    writeFileSync(file, "exporters: { log_store: { directory: /by-variable } }");
    expect(load(undefined, {}, { DORA_CONFIG: file }).dataDirectory).toBe("/by-variable");
    expect(() => load(undefined, { config: "/missing.yaml" }, { DORA_CONFIG: file })).toThrow(
      /cannot read the configuration file \/missing\.yaml: ENOENT/,
    );
  });

  test("a wrong value names the flag or the variable that gave it", () => {
    expect(faults(undefined, { api: "6014" }, { DORA_RETENTION: "7 days" })).toEqual([
      'exporters.log_store.retention: "7 days" is no retention: give 1m to 3650d, such as 7d, or none to keep everything (environment DORA_RETENTION)',
      'extensions.query_api.endpoint: "6014" is no address: give host:port, such as 127.0.0.1:4318 (flag --api)',
    ]);
  });
});

describe("the standard OpenTelemetry variables (OTLPX-007)", () => {
  const attributes = (env: Readonly<Record<string, string>>) => {
    const { resourceAttributes, warnings } = load(undefined, {}, env);
    return { ...Object.fromEntries(resourceAttributes), warnings: warnings.length };
  };

  test("resource attributes are percent-decoded, and the service's name wins over them", () => {
    const list = "service.name=a,deployment.environment.name=lab%20%C3%A9%2C, k =v";
    expect(attributes({ OTEL_RESOURCE_ATTRIBUTES: list, OTEL_SERVICE_NAME: "b" })).toEqual({
      "service.name": "b",
      "deployment.environment.name": "lab é,",
      k: "v",
      warnings: 0,
    });
    expect(attributes({ OTEL_RESOURCE_ATTRIBUTES: list })).toMatchObject({ "service.name": "a" });
    expect(attributes({ OTEL_SERVICE_NAME: "" })).toEqual({
      "service.name": "dora-serve",
      warnings: 0,
    });
  });

  test.each([["a=1,b"], ["a=1,b=%E0%A4%A"], ["a=1,=2"], ["a=1,,b=2"], ["a=1=2"]])(
    "one bad entry in %j discards them all, with a warning",
    (list) => {
      expect(attributes({ OTEL_RESOURCE_ATTRIBUTES: list })).toEqual({
        "service.name": "dora-serve",
        warnings: 1,
      });
    },
  );

  test("a level that is none is ignored with a warning", () => {
    const config = load(undefined, {}, { OTEL_LOG_LEVEL: "loud" });
    expect(config.logLevel).toBe("info");
    expect(config.warnings).toEqual([
      "OTEL_LOG_LEVEL is ignored: it is none of debug, info, warn, error",
    ]);
    expect(load(undefined, {}, { OTEL_LOG_LEVEL: "Error" }).logLevel).toBe("error");
  });
});

describe("a file in the Collector's vocabulary (PIPE-001)", () => {
  test("components, pipelines and extensions are read", () => {
    const config = load(
      `
extensions:
  query_api/main: { endpoint: 127.0.0.1:7000, auth: { authenticator: bearertokenauth/a } }
  bearertokenauth/a: { token: "\${env:TOKEN}" }
receivers:
  otlp/robots:
    protocols:
      http:
        endpoint: 127.0.0.1:0
        max_request_body_size: 1000
        tls: { cert_file: c.pem, key_file: k.pem }
processors:
  memory_limiter: { check_interval: 500ms, limit_mib: 400, spike_limit_mib: 100 }
exporters:
  log_store: { directory: /data, retention: 1h }
service:
  extensions: [query_api/main, bearertokenauth/a]
  telemetry: { logs: { level: debug } }
  pipelines:
    logs/robots: { receivers: [otlp/robots], processors: [memory_limiter], exporters: [log_store] }
    traces: { receivers: [otlp/robots], exporters: [log_store] }
`,
      {},
      { TOKEN: "12345" },
    );
    expect(config).toMatchObject({
      dataDirectory: "/data",
      retentionMs: 3_600_000,
      signals: ["logs", "traces"],
      otlpGrpc: undefined,
      otlpHttp: { port: 0, requestBytesMax: 1000, tls: { certFile: "c.pem", keyFile: "k.pem" } },
      api: { port: 7000, token: { kind: "value", token: "12345" } },
      memory: { hardLimitBytes: 400 * 2 ** 20, spikeBytes: 100 * 2 ** 20, checkIntervalMs: 500 },
      logLevel: "debug",
    });
  });

  test("a component without settings has all its defaults, sections left out are as without a file", () => {
    const config = load("receivers:\n  otlp:\n    protocols:\n      grpc:\nprocessors:\n");
    expect(config.otlpGrpc).toMatchObject({ host: "127.0.0.1", port: 4317 });
    expect(config.otlpHttp).toBeUndefined();
    expect(config.api).toMatchObject({ port: 6014 });
    expect(load("")).toEqual(load(undefined));
  });

  test("a protocol or the query API that the file leaves out is switched on by its flag", () => {
    const yaml = "receivers: { otlp: { protocols: { grpc: } } }\nservice: { extensions: [] }";
    expect(load(yaml).api).toBeUndefined();
    const config = load(yaml, { otlpHttp: "127.0.0.1:0", api: "127.0.0.1:0", tokenFile: "/t" });
    const token = { kind: "file", path: "/t" };
    expect(config.otlpHttp).toMatchObject({ port: 0, token });
    expect(config.api).toMatchObject({ port: 0, token });
  });

  test("variables are expanded with defaults, and $$ is a dollar", () => {
    const directoryOf = (value: string, env = {}) =>
      load(`exporters: { log_store: { directory: "${value}" } }`, {}, env).dataDirectory;
    expect(directoryOf("/a/${env:X}/b", { X: "x" })).toBe("/a/x/b");
    expect(directoryOf("/a/${env:X:-y/z}", {})).toBe("/a/y/z");
    expect(directoryOf("/a/$${env:X}", {})).toBe("/a/${env:X}");
    expect(directoryOf("/a/${env:X}", { X: "${env:Y}" })).toBe("/a/${env:Y}");
  });

  test("all faults are listed, each with its path, its place and the nearest right name", () => {
    const yaml = `receivers:
  otlp:
    protocols:
      htpp:
        endpoint: 127.0.0.1:4318
      grpc:
        endpoint: 127.0.0.1:431777
exporters:
  log_store:
    directory: 5
    retention: 1 week
servce: {}
`;
    expect(faults(yaml)).toEqual([
      'servce: unknown key, did you mean "service"? (dora.yaml:12:1)',
      'receivers.otlp.protocols.grpc.endpoint: "127.0.0.1:431777" is no address: give host:port, such as 127.0.0.1:4318 (dora.yaml:7:19)',
      'receivers.otlp.protocols.htpp: unknown key, did you mean "http"? (dora.yaml:4:7)',
      "exporters.log_store.directory: expected a text, found 5 (dora.yaml:10:16)",
      'exporters.log_store.retention: "1 week" is no retention: give 1m to 3650d, such as 7d, or none to keep everything (dora.yaml:11:16)',
    ]);
  });
});

describe("what is refused (PIPE-001)", () => {
  const pipeline = (text: string) => `service: { pipelines: { logs: { ${text} } } }`;

  test.each([
    [
      "exporters: { elasticsearch: {} }",
      'exporters.elasticsearch: unknown exporter "elasticsearch"; known: log_store (dora.yaml:1:14)',
    ],
    [
      "processors: { memory_limitr: {} }",
      'processors.memory_limitr: unknown processor "memory_limitr"; known: memory_limiter, did you mean "memory_limiter"? (dora.yaml:1:15)',
    ],
    [
      "connectors: { count: }",
      'connectors.count: unknown connector "count"; this version has no connectors (dora.yaml:1:15)',
    ],
    ["receivers: [otlp]", "receivers: expected a map of receivers (dora.yaml:1:12)"],
    ["- a", "the file must hold a map of sections (dora.yaml:1:1)"],
    [
      "receivers: { otlp: { protocols: {} } }",
      "receivers.otlp.protocols: must name at least one of grpc, http (dora.yaml:1:33)",
    ],
    [
      "receivers: { otlp: {} }",
      "receivers.otlp.protocols: expected a map, found nothing (dora.yaml:1:20)",
    ],
    [
      "receivers: { otlp: { protocols: { http: { max_request_body_size: 70MB } } } }",
      'receivers.otlp.protocols.http.max_request_body_size: expected a whole number from 1 to 67108864, found "70MB" (dora.yaml:1:66)',
    ],
    [
      "receivers: { otlp: { protocols: { http: { tls: { cert_file: a } } } } }",
      "receivers.otlp.protocols.http.tls.key_file: is missing (dora.yaml:1:48)",
    ],
    [
      "processors: { memory_limiter: { limit_mib: 100, spike_limit_mib: 100 } }",
      "processors.memory_limiter.spike_limit_mib: must be below limit_mib (dora.yaml:1:66)",
    ],
    [
      "processors: { memory_limiter: { check_interval: 1 } }",
      "processors.memory_limiter.check_interval: 1 is no duration: give a duration such as 30s, 15m, 12h or 7d (dora.yaml:1:49)",
    ],
    [
      "extensions: { bearertokenauth: { token: a, filename: b } }",
      "extensions.bearertokenauth: must have either token or filename (dora.yaml:1:32)",
    ],
    [
      "service: { telemetry: { logs: { level: inof } } }",
      'service.telemetry.logs.level: "inof" is no level: give debug, info, warn, error, did you mean "info"? (dora.yaml:1:40)',
    ],
    [
      "service: { pipelines: { profiles: { receivers: [otlp], exporters: [log_store] } } }",
      "service.pipelines.profiles: unknown signal: name a pipeline logs, traces or metrics, or logs/NAME (dora.yaml:1:25)",
    ],
    ["service: { pipelines: {} }", "service.pipelines: must not be empty (dora.yaml:1:23)"],
    [
      pipeline("receivers: [otpl], exporters: [log_store]"),
      'service.pipelines.logs.receivers[0]: no receiver "otpl" is configured, did you mean "otlp"? (dora.yaml:1:45)',
    ],
    [
      pipeline("receivers: [], exporters: [log_store]"),
      "service.pipelines.logs.receivers: must not be empty (dora.yaml:1:44)",
    ],
    [
      pipeline("receivers: otlp, exporters: [log_store]"),
      'service.pipelines.logs.receivers: expected a list, found "otlp" (dora.yaml:1:44)',
    ],
    [
      `receivers: { otlp/b: { protocols: { grpc: } } }\n${pipeline("receivers: [otlp, otlp/b], exporters: [log_store]")}`,
      'service.pipelines.logs.receivers[1]: only one otlp receiver can run, and "otlp" does already (dora.yaml:2:51)',
    ],
    [
      "service: { extensions: [query_api, query_ap] }",
      'service.extensions[1]: no extension "query_ap" is configured, did you mean "query_api"? (dora.yaml:1:36)',
    ],
    [
      "extensions: { bearertokenauth: { token: a }, query_api: { auth: { authenticator: bearertokenauth } } }",
      'extensions.query_api.auth.authenticator: service.extensions has no authenticator "bearertokenauth" (dora.yaml:1:82)',
    ],
    ["__proto__: { a: 1 }", /^__proto__: unknown key; known: receivers/],
    [
      "exporters: { log_store: { directory: '${env:MISSING}' } }",
      "exporters.log_store.directory: the environment variable MISSING is not set (dora.yaml:1:38)",
    ],
    [
      "exporters: { log_store: { directory: '${file:/etc/passwd}' } }",
      'exporters.log_store.directory: cannot expand "${file:/etc/passwd}": give ${env:NAME} or ${env:NAME:-default} (dora.yaml:1:38)',
    ],
  ])("%s", (yaml, expected) => {
    const found = faults(yaml);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(typeof expected === "string" ? toPattern(expected) : expected);
  });

  test("no message repeats a token (SEC-017)", () => {
    const found = faults("extensions: { bearertokenauth: { token: 123456789, tokn: 5 } }");
    expect(found).toHaveLength(2);
    expect(found.join()).not.toContain("123456789");
  });
});

function toPattern(text: string): RegExp {
  return new RegExp(`^${text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}$`);
}

describe("hostile YAML (SEC-012)", () => {
  test.each([
    ["receivers: !!js/function 'x'", /unresolved tag.*dora\.yaml:1:12/],
    ["receivers: !custom {}", /unresolved tag.*dora\.yaml:1:12/],
    ["receivers: {}\nreceivers: {}", /map keys must be unique \(dora\.yaml:2:1\)/],
    ["a: 1\n---\nb: 2", /multiple documents/],
    ["receivers: [", /dora\.yaml:1:1/],
    ["a: &a [*a, *a]", /more than|deeper than/],
    ["? [a]\n: 1", /a key must be a text/],
    [`a: ${"[".repeat(60)}${"]".repeat(60)}`, /deeper than 32 levels/],
  ])("%s is refused", (yaml, expected) => {
    expect(faults(yaml).join("\n")).toMatch(expected);
  });

  test("aliases that multiply are refused without being followed to the end", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let level = 1; level < 10; level++) {
      const alias = `*a${level - 1}`;
      lines.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => alias).join(", ")}]`);
    }
    expect(faults(lines.join("\n"))).toEqual([
      expect.stringMatching(/^the file holds more than \d+ (aliases|values), aliases followed/),
    ]);
  });

  test("a file with more values than any configuration has is refused", () => {
    expect(faults(`a: [${"1,".repeat(20_000)}]`)).toEqual([
      expect.stringMatching(/^the file holds more than 20000 values/),
    ]);
  });

  test("a file beyond the limit is not read", () => {
    expect(() => load(`# ${"x".repeat(64 * 1024)}`)).toThrow(/more than 65536/);
  });
});

describe("addresses beyond this machine (SEC-001)", () => {
  const cause = (flags: ServeFlags) => {
    try {
      load(undefined, flags);
      return "accepted";
    } catch (error) {
      return error instanceof AppError ? `${error.code}: ${error.message}` : error;
    }
  };
  const tls = { tlsCert: "c", tlsKey: "k" };

  test.each([
    ["0.0.0.0:4317"],
    [":4317"],
    ["[::]:4317"],
    ["192.168.1.5:4317"],
    ["robot.local:4317"],
  ])("%s needs a token and TLS", (otlpGrpc) => {
    expect(cause({ otlpGrpc })).toMatch(/^LISTEN_UNSAFE: OTLP\/gRPC .* without a token and TLS$/);
    expect(cause({ otlpGrpc, tokenFile: "t" })).toMatch(/without TLS$/);
    expect(cause({ otlpGrpc, ...tls })).toMatch(/without a token$/);
    expect(cause({ otlpGrpc, ...tls, tokenFile: "t" })).toBe("accepted");
    expect(cause({ otlpGrpc, insecureListen: true })).toBe("accepted");
  });

  test.each([["127.0.0.1:1"], ["127.9.9.9:1"], ["[::1]:1"], ["localhost:1"], ["LOCALHOST:1"]])(
    "%s needs neither",
    (api) => {
      expect(cause({ api })).toBe("accepted");
    },
  );

  test("the query API and OTLP/HTTP are held to it too", () => {
    expect(cause({ api: "0.0.0.0:1" })).toContain("the query API would listen on 0.0.0.0:1");
    expect(cause({ otlpHttp: "0.0.0.0:1" })).toContain("OTLP/HTTP would listen on 0.0.0.0:1");
  });

  test.each([
    ["4318"],
    ["a b:1"],
    ["127.0.0.1"],
    ["127.0.0.1:-1"],
    ["127.0.0.1:65536"],
    ["[::1"],
    ["::1:4318"],
    ["http://127.0.0.1:4318"],
    ["300.0.0.1:1"],
    ["[127.0.0.1]:1"],
    [""],
  ])("%j is no address", (api) => {
    expect(cause({ api })).toMatch(/^CONFIG_INVALID/);
  });
});
