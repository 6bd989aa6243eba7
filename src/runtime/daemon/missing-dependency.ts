/** What a build or a program lacks, and the command that brings it. */
export interface MissingDependency {
  readonly name: string;
  readonly command: string;
}

interface Pattern {
  readonly pattern: RegExp;
  /** "" where no single command is known. */
  readonly command: (name: string) => string;
  /** What is to be installed, where it is called otherwise than in the message. */
  readonly nameOf?: (found: string) => string;
}

/** How each tool says that something is not there; the first group is the thing's name. */
const PATTERNS: readonly Pattern[] = [
  // cargo, rustc
  { pattern: /^error: no matching package (?:named )?`([^`]+)` found/m, command: cargoAdd },
  {
    pattern: /^error\[E0432\]: unresolved import `([\w:]+)`/m,
    command: cargoAdd,
    nameOf: rootModule,
  },
  {
    pattern: /use of (?:undeclared crate or module|unresolved module or unlinked crate) `(\w+)`/,
    command: cargoAdd,
  },
  { pattern: /^error\[E0463\]: can't find crate for `([^`]+)`/m, command: cargoAdd },
  { pattern: /linker `([^`]+)` not found/, command: install },
  // npm, Node.js
  { pattern: /npm (?:ERR!|error) code E404[^]*?'([^'\s]+?)(?:@[^'@]*)?' is not in/, command: none },
  { pattern: /npm (?:ERR!|error) Missing script: "([^"]+)"/, command: none },
  {
    pattern: /Error: Cannot find module '([^'./][^']*)'/,
    command: npmInstall,
    nameOf: packageOf,
  },
  {
    pattern: /Error(?: \[ERR_MODULE_NOT_FOUND\])?: Cannot find package '([^']+)'/,
    command: npmInstall,
    nameOf: packageOf,
  },
  {
    pattern: /error TS2307: Cannot find module '([^'./][^']*)'/,
    command: npmInstall,
    nameOf: packageOf,
  },
  // pip, Python
  { pattern: /^ERROR: No matching distribution found for (\S+)/m, command: none },
  {
    pattern: /ModuleNotFoundError: No module named '([^']+)'/,
    command: pipInstall,
    nameOf: (found) => found.split(".", 1)[0] ?? found,
  },
  { pattern: /: No module named (pip|venv|build|setuptools)$/m, command: pipModule },
  // shells: dash, bash, zsh, busybox; `env` in a script's first line
  { pattern: /^\S*sh: (?:line )?\d+: (?:exec: )?(\S+): not found$/m, command: install },
  { pattern: /: (\S+): command not found$/m, command: install },
  { pattern: /command not found: (\S+)$/m, command: install },
  { pattern: /^\S*sh: (\S+): not found$/m, command: install },
  {
    pattern: /^(?:\/usr\/bin\/)?env: [‘'`"]?([^\s’'`":]+)[’'`"]?: No such file or directory/m,
    command: install,
  },
];

/** Finds what is missing in the output of a build or of a program that failed; undefined where it says no such thing. */
export function findMissingDependency(output: string): MissingDependency | undefined {
  let first: { readonly at: number; readonly missing: MissingDependency } | undefined;
  for (const { pattern, command, nameOf } of PATTERNS) {
    const found = pattern.exec(output);
    const text = found?.[1];
    if (found === null || text === undefined) continue;
    if (first !== undefined && first.at <= found.index) continue;
    const name = nameOf === undefined ? text : nameOf(text);
    first = { at: found.index, missing: { name, command: command(name) } };
  }
  return first?.missing;
}

function cargoAdd(name: string): string {
  return `cargo add ${name}`;
}

function npmInstall(name: string): string {
  return `npm install ${name}`;
}

/** Modules that are imported by another name than their package has. */
const PYTHON_PACKAGES: ReadonlyMap<string, string> = new Map([
  ["cv2", "opencv-python"],
  ["PIL", "pillow"],
  ["yaml", "pyyaml"],
  ["sklearn", "scikit-learn"],
  ["serial", "pyserial"],
]);

function pipInstall(name: string): string {
  return `pip install ${PYTHON_PACKAGES.get(name) ?? name}`;
}

function pipModule(name: string): string {
  return name === "pip" ? "python3 -m ensurepip" : `pip install ${name}`;
}

/** Commands that come with something else, and how that is had. */
const PROGRAMS: ReadonlyMap<string, string> = new Map([
  ["cargo", "curl https://sh.rustup.rs -sSf | sh"],
  ["uv", "pip install uv"],
  ["pip", "python3 -m ensurepip"],
  ["maturin", "pip install maturin"],
  ["pnpm", "npm install --global pnpm"],
  ["yarn", "npm install --global yarn"],
  ["tsc", "npm install typescript"],
]);

function install(name: string): string {
  return PROGRAMS.get(name) ?? "";
}

function none(): string {
  return "";
}

/** `tokio` of `tokio::net::TcpStream`. */
function rootModule(path: string): string {
  return path.split("::", 1)[0] ?? path;
}

/** `@scope/name` of `@scope/name/inner`, `name` of `name/inner`. */
function packageOf(path: string): string {
  return path
    .split("/")
    .slice(0, path.startsWith("@") ? 2 : 1)
    .join("/");
}
