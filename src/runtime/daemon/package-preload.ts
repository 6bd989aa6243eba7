/**
 * Loaded into each JavaScript node before its program, by `--import`: where `dora-dataflow/NAME` is not installed
 * for the program, it is the package that the daemon is of. A project's own copy wins; no other import is touched.
 *
 * Source: docs/node-api.md "Where the library comes from"
 */
import { registerHooks } from "node:module";

const PREFIX = "dora-dataflow/";
/** The package's exports, and their folders here. */
const FOLDERS: ReadonlyMap<string, string> = new Map([
  ["core", "core"],
  ["log-store", "log-store"],
  ["node", "runtime/node"],
  ["query", "query"],
  ["wire", "wire"],
]);
/** Of `import`, and of `require`. */
const NOT_FOUND: ReadonlySet<unknown> = new Set(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"]);

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (!specifier.startsWith(PREFIX)) return nextResolve(specifier, context);
    try {
      return nextResolve(specifier, context);
    } catch (error) {
      const folder = FOLDERS.get(specifier.slice(PREFIX.length));
      const isMissing = error instanceof Error && "code" in error && NOT_FOUND.has(error.code);
      if (folder === undefined || !isMissing) throw error;
      const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
      const { href } = new URL(`../../${folder}/index.${extension}`, import.meta.url);
      return {
        url: href,
        format: extension === "ts" ? "module-typescript" : "module",
        shortCircuit: true,
      };
    }
  },
});
