/**
 * Loaded into each JavaScript node before its program, by `--import`: where `dora-dataflow/NAME` is not installed
 * for the program, it is the package that the daemon is of. A project's own copy wins; no other import is touched.
 *
 * Source: docs/node-api.md "Where the library comes from"
 */
import { registerHooks } from "node:module";

const PREFIX = "dora-dataflow/";
/** The package's exports, and their modules here. */
const MODULES: ReadonlyMap<string, string> = new Map([
  ["core", "core/index"],
  ["log-store", "log-store/index"],
  ["node", "runtime/node/index"],
  ["operator", "runtime/node/operator"],
  ["query", "query/index"],
  ["wire", "wire/index"],
]);
/** Of `import`, and of `require`. */
const NOT_FOUND: ReadonlySet<unknown> = new Set(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"]);

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (!specifier.startsWith(PREFIX)) return nextResolve(specifier, context);
    try {
      return nextResolve(specifier, context);
    } catch (error) {
      const module = MODULES.get(specifier.slice(PREFIX.length));
      const isMissing = error instanceof Error && "code" in error && NOT_FOUND.has(error.code);
      if (module === undefined || !isMissing) throw error;
      const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
      const { href } = new URL(`../../${module}.${extension}`, import.meta.url);
      return {
        url: href,
        format: extension === "ts" ? "module-typescript" : "module",
        shortCircuit: true,
      };
    }
  },
});
