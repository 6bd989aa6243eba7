import { readFileSync } from "node:fs";
import type { NodeTemplate } from "./languages.ts";

/** The same way up from src/ and from dist/. */
const PACKAGE = new URL("../../../", import.meta.url);
const PROTO = "dora/dataflow/v1/dataflow.proto";

/**
 * The example node in Rust, as a crate of its own with the proto file that it speaks. It shouts; there is no library,
 * so that another role is for its user to write.
 */
export function rustNode(crate: string): NodeTemplate {
  const read = (path: string): string => readFileSync(new URL(path, PACKAGE), "utf8");
  const manifest = read("examples/rust-node/Cargo.toml")
    .replace(/^name = .*$/m, `name = "${crate}"`)
    .replace(/^(?:license|description) = .*\n/gm, "");
  const build = read("examples/rust-node/build.rs").replace("../../docs/proto", "proto");
  const main = read("examples/rust-node/src/main.rs").replace("docs/proto/", "proto/");
  return {
    files: [
      { path: `${crate}/Cargo.toml`, text: manifest },
      { path: `${crate}/build.rs`, text: build },
      { path: `${crate}/src/main.rs`, text: main },
      { path: `${crate}/proto/${PROTO}`, text: read(`docs/proto/${PROTO}`) },
      { path: `${crate}/.gitignore`, text: "target/\n" },
    ],
    build: `cargo build --release --manifest-path ${crate}/Cargo.toml`,
    path: `${crate}/target/release/${crate}`,
  };
}
