/** The example node in Rust, built by cargo, between nodes of JavaScript: examples/rust-node. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { findPart } from "../../scripts/parts/part.ts";
import { openDaemon } from "../runtime/daemon/daemon-harness.ts";

const { path, hint } = findPart("rust-node");
const EXAMPLE = fileURLToPath(new URL("../../examples/rust-node/", import.meta.url));

describe.skipIf(path === undefined)(`a node in Rust (${hint})`, () => {
  test("takes texts, sends them on in capitals with their metadata, and ends with its sender", async () => {
    const it = await openDaemon();
    for (const name of ["sender.mjs", "receiver.mjs"]) {
      it.file(name, readFileSync(`${EXAMPLE}${name}`, "utf8"));
    }
    const text = readFileSync(`${EXAMPLE}dataflow.yml`, "utf8")
      .replace(/ +build: .*\n/, "")
      .replace("target/release/dora-rust-node", path ?? "");
    const id = await it.start(text);
    const { state, nodes } = await it.daemon.ended(id);
    expect(nodes.map(({ end }) => end?.lastStderr)).toEqual([[], [], []]);
    expect(state).toBe("completed");
    expect(it.telemetry.output("receiver")).toBe("0: READY\n1: STEADY\n2: GO\n");
    expect(it.telemetry.output("rust")).toBe("stop: all-inputs-closed\n");
  });
});
