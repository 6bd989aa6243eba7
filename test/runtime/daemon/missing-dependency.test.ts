import { expect, test } from "vitest";
import { findMissingDependency } from "../../../src/runtime/daemon/missing-dependency.ts";

/** As the tools print it. */
const CASES: readonly (readonly [string, string, string])[] = [
  [
    "error: no matching package named `tokyo` found\nlocation searched: crates.io index",
    "tokyo",
    "cargo add tokyo",
  ],
  [
    "error[E0432]: unresolved import `tokio`\n --> src/main.rs:1:5\n  |\n1 | use tokio::net::TcpStream;\n  |     ^^^^^ use of unresolved module or unlinked crate `tokio`",
    "tokio",
    "cargo add tokio",
  ],
  [
    "error[E0433]: failed to resolve: use of undeclared crate or module `serde_json`\n --> src/main.rs:4:13",
    "serde_json",
    "cargo add serde_json",
  ],
  ["error[E0463]: can't find crate for `core`", "core", "cargo add core"],
  ["error: linker `cc` not found\n  |\n  = note: No such file or directory (os error 2)", "cc", ""],
  [
    "npm error code E404\nnpm error 404 Not Found - GET https://registry.example/left-pat - Not found\nnpm error 404\nnpm error 404  'left-pat@*' is not in this registry.",
    "left-pat",
    "",
  ],
  [
    'npm error Missing script: "bild"\nnpm error\nnpm error To see a list of scripts, run:',
    "bild",
    "",
  ],
  [
    "node:internal/modules/cjs/loader:1228\n  throw err;\n  ^\n\nError: Cannot find module '@scope/lib/inner'\nRequire stack:\n- /x/a.js",
    "@scope/lib",
    "npm install @scope/lib",
  ],
  [
    "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'sharp' imported from /x/a.mjs",
    "sharp",
    "npm install sharp",
  ],
  [
    "src/a.ts(1,19): error TS2307: Cannot find module 'sharp/lib' or its corresponding type declarations.",
    "sharp",
    "npm install sharp",
  ],
  [
    "ERROR: Could not find a version that satisfies the requirement opencvv (from versions: none)\nERROR: No matching distribution found for opencvv",
    "opencvv",
    "",
  ],
  [
    "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    import cv2.aruco\nModuleNotFoundError: No module named 'cv2.aruco'",
    "cv2",
    "pip install opencv-python",
  ],
  ["/usr/bin/python3: No module named pip", "pip", "python3 -m ensurepip"],
  ["/bin/sh: 1: maturin: not found", "maturin", "pip install maturin"],
  ["dora-node: 1: exec: /x/y: not found\nsh: 1: exec: colcon: not found", "colcon", ""],
  ["sh: ninja: not found", "ninja", ""],
  ["bash: line 1: uv: command not found", "uv", "pip install uv"],
  ["zsh:1: command not found: cmake", "cmake", ""],
  ["/usr/bin/env: ‘python2’: No such file or directory", "python2", ""],
  ["env: rosrun: No such file or directory", "rosrun", ""],
];

test.each(CASES)("%s", (output, name, command) => {
  const before = "   Compiling node v0.1.0\n";
  expect(findMissingDependency(`${before}${output}\nfurther lines\n`)).toEqual({ name, command });
});

test.each([
  "",
  "error[E0308]: mismatched types",
  "Error: Cannot find module './local.js'",
  "Error: Cannot find module '/x/gone.js'",
  "404 page not found",
  "cat: made: No such file or directory",
  "config not found",
])("nothing is missing in: %s", (output) => {
  expect(findMissingDependency(output)).toBeUndefined();
});

test("the first of several is told", () => {
  const output = "ModuleNotFoundError: No module named 'b'\nsh: 1: a: not found\n";
  expect(findMissingDependency(output)?.name).toBe("b");
});
