/**
 * Installs ClickHouse for the comparison: `node bench/compare/build-clickhouse.ts`.
 *
 * It comes as the Python package chdb, 0.9 GB with what it needs, in a virtual environment of its own
 * beside the parts of the tests (`$DORA_PARTS_DIR`, default `~/.cache/dora-parts`). Needs python3 with venv.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { PARTS_DIRECTORY } from "../../scripts/parts/part.ts";

const PACKAGES = ["chdb==4.4.0", "chdb-core==26.9.0"];
const ENVIRONMENT = join(PARTS_DIRECTORY, "clickhouse");

mkdirSync(PARTS_DIRECTORY, { recursive: true });
execFileSync("python3", ["-m", "venv", ENVIRONMENT], { stdio: "inherit" });
execFileSync(join(ENVIRONMENT, "bin", "pip"), ["install", "-q", ...PACKAGES], {
  stdio: "inherit",
});
console.log(`ClickHouse is in ${ENVIRONMENT}`);
