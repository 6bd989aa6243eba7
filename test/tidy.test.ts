/** What a machine can check of the house's rules, over all tracked files and those about to be. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { z } from "zod";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Folders of src/, lowest first; those in one row do not import each other. */
const LAYERS: readonly (readonly string[])[] = [
  ["core"],
  ["wire"],
  ["telemetry", "journal"],
  ["log-store"],
  ["query"],
  ["exporters"],
  ["collector"],
  ["server", "runtime"],
  ["cli"],
];

const FILE_LINES_MAX = 400;
/** A test file is mostly tables of cases. */
const TEST_LINES_MAX = 600;
/** Longer than that, and how many lines each may have: only to be made smaller. */
const LONG_FILES: ReadonlyMap<string, number> = new Map([["bench/applications.ts", 720]]);

const BANNED_NAMES = /^(utils?|helpers?|common|misc|manager)$/;

/**
 * What no file may hold: addresses of package registries and paths of a build machine. The brackets
 * keep this file from finding itself.
 */
const FORBIDDEN: readonly RegExp[] = [
  /npmj[s]\.(org|com)/,
  /pyp[i]\.org/,
  /pythonhoste[d]/,
  /proxy\.golan[g]/,
  /repo1?\.mave[n]/,
  /deb\.debia[n]/,
  /static\.crate[s]/,
  /(^|[^A-Za-z0-9_./-])\/(work|farm|root)\//m,
];

const trackedFiles = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard"],
  { cwd: ROOT, encoding: "utf8" },
)
  .split("\n")
  .filter((file) => file !== "" && readText(file) !== undefined);
const sources = trackedFiles.filter((file) => /^src\/.+\.ts$/.test(file));
const imports = new Map(sources.map((file) => [file, importsOf(file)]));

describe("layering", () => {
  test("imports of src/ go downwards only", () => {
    const wrong = sources.flatMap((file) =>
      (imports.get(file) ?? [])
        .filter((target) => !mayImport(file, target))
        .map((target) => `${file} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test("no file imports itself by way of others, types included", () => {
    expect(findCycles(imports)).toEqual([]);
  });

  test("a cycle and an upward import are found", () => {
    const circle = new Map([
      ["src/core/a.ts", ["src/core/b.ts"]],
      ["src/core/b.ts", ["src/core/a.ts"]],
    ]);
    expect(findCycles(circle)).toEqual(["src/core/a.ts > src/core/b.ts > src/core/a.ts"]);
    expect(mayImport("src/journal/a.ts", "src/telemetry/b.ts")).toBe(false);
    expect(mayImport("src/core/a.ts", "src/wire/b.ts")).toBe(false);
    expect(mayImport("src/wire/a.ts", "src/core/b.ts")).toBe(true);
  });

  test("src/ has the folders of the layering and no other", () => {
    const found = new Set(sources.map((file) => folderOf(file)));
    const known = new Set(LAYERS.flat());
    expect([...found].filter((folder) => !known.has(folder))).toEqual([]);
  });

  test("the map in ARCHITECTURE.md names every folder of src/ and no other", () => {
    const map = [
      ...(readText("ARCHITECTURE.md") ?? "").matchAll(/^\s*[-|*]?\s*`?src\/([a-z-]+)\/`?\s/gm),
    ];
    const named = new Set(map.map((found) => found[1]));
    expect([...named].sort()).toEqual([...new Set(sources.map(folderOf))].sort());
  });
});

describe("files", () => {
  test("no file or folder is named for nothing", () => {
    const wrong = trackedFiles.filter((file) =>
      file.split("/").some((part) => BANNED_NAMES.test(part.split(".")[0] ?? "")),
    );
    expect(wrong).toEqual([]);
  });

  test("files stay short enough to be read in one sitting", () => {
    const tooLong = trackedFiles
      .filter((file) => file.endsWith(".ts"))
      .map((file) => ({ file, lines: (readText(file) ?? "").split("\n").length - 1 }))
      .filter(({ file, lines }) => lines > (LONG_FILES.get(file) ?? linesMax(file)));
    expect(tooLong).toEqual([]);
  });

  test("the list of long files holds none that became short", () => {
    const short = [...LONG_FILES.keys()].filter(
      (file) => (readText(file) ?? "").split("\n").length - 1 <= linesMax(file),
    );
    expect(short).toEqual([]);
  });

  test("no file names a package registry or a path of a build machine", () => {
    const wrong = trackedFiles.flatMap((file) => {
      const text = readText(file) ?? "";
      return FORBIDDEN.filter((pattern) => pattern.test(text)).map(
        (pattern) => `${file}: ${pattern.exec(text)?.[0]}`,
      );
    });
    expect(wrong).toEqual([]);
  });

  test("no check is silenced and no test is left out for good", () => {
    // Control characters are what the code that cleans them is about.
    const withReason = /oxlint-disable-next-line no-control-regex/g;
    const silenced = /@ts-(ignore|nocheck|expect-error)|eslint-disabl[e]|oxlint-disabl[e]|\.only\(/;
    const wrong = trackedFiles
      .filter((file) => file.endsWith(".ts") && file !== relative(ROOT, import.meta.filename))
      .filter((file) => silenced.test((readText(file) ?? "").replaceAll(withReason, "")));
    expect(wrong).toEqual([]);
  });
});

describe("dependencies", () => {
  const Package = z.object({
    dependencies: z.record(z.string(), z.string()),
    devDependencies: z.record(z.string(), z.string()),
  });
  const manifest = Package.parse(JSON.parse(readText("package.json") ?? ""));

  test("each has a line in docs/dependencies.md, and no other has one", () => {
    const documented = [...(readText("docs/dependencies.md") ?? "").matchAll(/^\| `([^`]+)` \|/gm)];
    const declared = [
      ...Object.keys(manifest.dependencies),
      ...Object.keys(manifest.devDependencies),
    ];
    expect(documented.map((found) => found[1]).sort()).toEqual(declared.sort());
  });

  test("the lock file has every platform's packages and no address", () => {
    const Entry = z.object({ optionalDependencies: z.record(z.string(), z.string()).optional() });
    const Lock = z.object({ packages: z.record(z.string(), Entry) });
    const text = readText("package-lock.json") ?? "";
    const { packages } = Lock.parse(JSON.parse(text));
    const wanted = Object.values(packages)
      .flatMap((entry) => Object.entries(entry.optionalDependencies ?? {}))
      .filter(([, version]) => /^\d/.test(version))
      .map(([name]) => `node_modules/${name}`);
    const missing = wanted.filter((path) => !(path in packages));
    expect(missing, "run `npm run lock:complete`").toEqual([]);
    expect(text).not.toContain('"resolved"');
  });
});

function linesMax(file: string): number {
  return file.startsWith("test/") ? TEST_LINES_MAX : FILE_LINES_MAX;
}

function folderOf(file: string): string {
  return file.split("/")[1] ?? "";
}

function layerOf(file: string): number {
  return LAYERS.findIndex((folders) => folders.includes(folderOf(file)));
}

function mayImport(file: string, target: string): boolean {
  return folderOf(file) === folderOf(target) || layerOf(target) < layerOf(file);
}

/** Files that a file imports, types included, as paths from the root. */
function importsOf(file: string): readonly string[] {
  const text = readText(file) ?? "";
  const specifiers = text.matchAll(
    /(?:\bfrom\s+|\bimport\s+|\bimport\(\s*|\bnew URL\(\s*)"(\.{1,2}\/[^"]+\.ts)"/g,
  );
  return [...specifiers].map((found) =>
    relative(ROOT, resolve(ROOT, dirname(file), found[1] ?? "")),
  );
}

/** One text a cycle, the files of it in order. */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const cycles: string[] = [];
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) {
      cycles.push([...path.slice(start), file].join(" > "));
      return;
    }
    if (finished.has(file)) return;
    for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
    finished.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return cycles;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(join(ROOT, file), "utf8");
  } catch {
    return undefined;
  }
}
