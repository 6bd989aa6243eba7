/**
 * The real peers that `npm run test:parts` tests against. Each is built once, into a cache folder
 * outside the tree: `$DORA_PARTS_DIR`, or `~/.cache/dora-parts`.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export type PartName =
  | "otelcol"
  | "telemetrygen"
  | "python"
  | "pandas"
  | "redis"
  | "mosquitto"
  | "rust-node"
  | "dora-rs";

export interface Part {
  readonly name: PartName;
  /** What it is, and what must be installed to build it. */
  readonly needs: string;
  /** No test needs it: it is built where it is named. */
  readonly isOnlyByName?: true;
  /** The program that tests start. */
  readonly program: string;
  /** Run one after the other in `directory`. */
  readonly steps: readonly BuildStep[];
  readonly directory: string;
  /** Files written into `directory` before the first step. */
  readonly files: { readonly [name: string]: string };
}

export interface BuildStep {
  readonly command: string;
  readonly args: readonly string[];
  /** Below `directory`; the directory itself where it is left out. */
  readonly workDirectory?: string;
}

export const PARTS_DIRECTORY =
  process.env["DORA_PARTS_DIR"] ?? join(homedir(), ".cache", "dora-parts");

const BIN = join(PARTS_DIRECTORY, "bin");
const COLLECTOR_VERSION = "v0.160.0";
const TELEMETRYGEN_VERSION = "v0.161.0";

/** What our Collector is made of: what the tests configure, and nothing else. */
const COLLECTOR_MANIFEST = `dist:
  name: otelcol
  output_path: ./build
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver ${COLLECTOR_VERSION}
processors:
  - gomod: go.opentelemetry.io/collector/processor/batchprocessor ${COLLECTOR_VERSION}
  - gomod: go.opentelemetry.io/collector/processor/memorylimiterprocessor ${COLLECTOR_VERSION}
exporters:
  - gomod: go.opentelemetry.io/collector/exporter/otlpexporter ${COLLECTOR_VERSION}
  - gomod: go.opentelemetry.io/collector/exporter/otlphttpexporter ${COLLECTOR_VERSION}
  - gomod: go.opentelemetry.io/collector/exporter/debugexporter ${COLLECTOR_VERSION}
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter ${COLLECTOR_VERSION}
`;

export const PARTS: readonly Part[] = [
  {
    name: "python",
    needs: "the Python OpenTelemetry SDK; needs python3 with venv",
    program: join(PARTS_DIRECTORY, "python", "bin", "python"),
    directory: PARTS_DIRECTORY,
    files: {},
    steps: [
      { command: "python3", args: ["-m", "venv", "python"] },
      {
        command: join(PARTS_DIRECTORY, "python", "bin", "pip"),
        args: ["install", "-q", "opentelemetry-sdk", "opentelemetry-exporter-otlp"],
      },
    ],
  },
  {
    name: "pandas",
    needs: "pandas and pyarrow, which read Parquet; needs python3 with venv",
    program: join(PARTS_DIRECTORY, "pandas", "bin", "python"),
    directory: PARTS_DIRECTORY,
    files: {},
    steps: [
      { command: "python3", args: ["-m", "venv", "pandas"] },
      {
        command: join(PARTS_DIRECTORY, "pandas", "bin", "pip"),
        args: ["install", "-q", "pandas", "pyarrow"],
      },
    ],
  },
  {
    name: "dora-rs",
    needs:
      "dora-rs with its command and its Python API, which bench/compare-dora runs; needs python3 with venv",
    isOnlyByName: true,
    program: join(PARTS_DIRECTORY, "dora-rs", "bin", "dora"),
    directory: PARTS_DIRECTORY,
    files: {},
    steps: [
      { command: "python3", args: ["-m", "venv", "dora-rs"] },
      {
        command: join(PARTS_DIRECTORY, "dora-rs", "bin", "pip"),
        args: ["install", "-q", "dora-rs==1.1.0", "dora-rs-cli==1.1.0", "pyarrow", "numpy"],
      },
    ],
  },
  {
    name: "redis",
    needs: "a Redis server; installed already, or Debian's package, as root",
    program: join(BIN, "redis-server"),
    directory: PARTS_DIRECTORY,
    files: {},
    steps: [systemProgram("redis-server", "redis-server")],
  },
  {
    name: "mosquitto",
    needs: "an MQTT broker; installed already, or Debian's package, as root",
    program: join(BIN, "mosquitto"),
    directory: PARTS_DIRECTORY,
    files: {},
    steps: [systemProgram("mosquitto", "mosquitto")],
  },
  {
    name: "rust-node",
    needs: "the example node in Rust; needs cargo 1.88 or newer",
    program: join(PARTS_DIRECTORY, "rust-node", "release", "dora-rust-node"),
    directory: PARTS_DIRECTORY,
    files: {},
    steps: [rustNode()],
  },
  {
    name: "telemetrygen",
    needs: "the OpenTelemetry load generator; needs Go 1.25 or newer",
    program: join(BIN, "telemetrygen"),
    directory: PARTS_DIRECTORY,
    files: {},
    steps: [
      goInstall(
        "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen",
        TELEMETRYGEN_VERSION,
      ),
    ],
  },
  {
    name: "otelcol",
    needs: "the OpenTelemetry Collector; needs Go 1.25 or newer",
    program: join(BIN, "otelcol"),
    directory: join(PARTS_DIRECTORY, "otelcol-src"),
    files: { "manifest.yaml": COLLECTOR_MANIFEST },
    steps: [
      goInstall("go.opentelemetry.io/collector/cmd/builder", COLLECTOR_VERSION),
      // The tidy that follows the generation wants the tests' modules too, which are not always to
      // be had. The build below needs them not, so that step may fail.
      {
        command: "sh",
        args: ["-c", `"${join(BIN, "builder")}" --config manifest.yaml --skip-compilation || true`],
      },
      {
        command: "go",
        args: ["build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", join(BIN, "otelcol"), "."],
        workDirectory: "build",
      },
    ],
  },
];

/** Whether the part is there, built by these very steps. */
export function isBuilt(part: Part): boolean {
  const proof = proofFile(part);
  return (
    existsSync(part.program) && existsSync(proof) && readFileSync(proof, "utf8") === recipe(part)
  );
}

/** Remembers that all steps went through: a program alone may be what a failed build left. */
export function markBuilt(part: Part): void {
  writeFileSync(proofFile(part), recipe(part));
}

function proofFile(part: Part): string {
  return join(PARTS_DIRECTORY, `${part.name}.built.json`);
}

function recipe(part: Part): string {
  return JSON.stringify({ files: part.files, steps: part.steps }, null, 2);
}

/** The part by name; where it is not built, `path` is undefined and tests are to be skipped. */
export function findPart(name: PartName): {
  readonly path: string | undefined;
  readonly hint: string;
} {
  const part = PARTS.find((candidate) => candidate.name === name);
  const path = part !== undefined && isBuilt(part) ? part.program : undefined;
  return { path, hint: `needs ${name}: \`npm run parts:build -- ${name}\`` };
}

function goInstall(module: string, version: string): BuildStep {
  return { command: "env", args: [`GOBIN=${BIN}`, "go", "install", `${module}@${version}`] };
}

/** Of its sources: other ones are built anew. */
function rustNode(): BuildStep {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const example = join(root, "examples", "rust-node");
  const sources = [
    ...["Cargo.toml", "Cargo.lock", "build.rs", "src/main.rs"].map((name) => join(example, name)),
    join(root, "docs/proto/dora/dataflow/v1/dataflow.proto"),
  ];
  const hash = createHash("sha256");
  for (const source of sources) hash.update(readFileSync(source));
  const target = join(PARTS_DIRECTORY, "rust-node");
  const manifest = join(example, "Cargo.toml");
  const build = ["build", "--release", "--locked", "--manifest-path", manifest];
  return {
    command: "env",
    args: [`SOURCES=${hash.digest("hex")}`, "cargo", ...build, "--target-dir", target],
  };
}

/** A program that the system has, or gets from Debian, and a link to it where the parts are. */
function systemProgram(program: string, debianPackage: string): BuildStep {
  const find = `PATH="$PATH:/usr/sbin" && command -v ${program}`;
  const install = `apt-get update && apt-get install -y --no-install-recommends ${debianPackage}`;
  const link = `mkdir -p "${BIN}" && ln -sf "$(command -v ${program})" "${join(BIN, program)}"`;
  return { command: "sh", args: ["-c", `${find} || (${install}) && ${link}`] };
}
