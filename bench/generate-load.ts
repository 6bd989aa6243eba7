/** Writes the load's files and says where: `node bench/generate-load.ts [--records N] [--seed N]`. */
import { statSync } from "node:fs";
import { parseArgs } from "node:util";
import { DEFAULT_LOAD } from "./load.ts";
import { openLoadFiles } from "./load-file.ts";

const { values } = parseArgs({
  options: { records: { type: "string" }, seed: { type: "string" } },
});
const files = await openLoadFiles({
  ...DEFAULT_LOAD,
  recordCount: Number(values.records ?? DEFAULT_LOAD.recordCount),
  seed: Number(values.seed ?? DEFAULT_LOAD.seed),
});
for (const file of [files.otlp, files.table]) {
  console.log(`${file} ${(statSync(file).size / 1e6).toFixed(1)} MB`);
}
