import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { commandLine, selectingFlags } from "../../src/cli/command-line.ts";

test("a shell reads a printed command line back as the same words", () => {
  const words = ["level>=warn 'it''s'", "$HOME `id`", "", "a\nb", "plain-1.csv", "*"];
  const script = `printf '%s\\0' ${commandLine(words)}`;
  const read = execFileSync("sh", ["-c", script], { encoding: "utf8" });
  expect(read.split("\0").slice(0, -1)).toEqual(words);
});

test("the flags that choose records are repeated, those of the output are not", () => {
  const flags = {
    filter: "error",
    node: ["a", "b"],
    since: "-15m",
    dataDir: "store",
    output: "json",
    tail: "3",
  };
  expect(commandLine(selectingFlags(flags))).toBe(
    "--filter error --node a --node b --since -15m --data-dir store",
  );
});
