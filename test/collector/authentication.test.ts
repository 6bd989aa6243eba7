import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TokenAuthenticator } from "../../src/collector/authentication.ts";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "dora-tokens-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function load(text: string): Promise<TokenAuthenticator> {
  const path = join(directory, "tokens");
  await writeFile(path, text);
  return TokenAuthenticator.load(path);
}

describe("a token file", () => {
  test("holds a token a line, with comments, blank lines and names (SEC-002)", async () => {
    const tokens = await load("# robots\n\nrobot-1: s3cret:1\r\n  plain-token  \n");
    expect(tokens.authenticate("Bearer s3cret:1")).toBe("robot-1");
    expect(tokens.authenticate("Bearer plain-token")).toMatch(/^token-[0-9a-f]{8}$/);
    expect(tokens.authenticate("Bearer # robots")).toBeUndefined();
  });

  test("names a token without a name by its hash, wherever it stands in the file", async () => {
    const before = (await load("aaaa\nbbbb\n")).authenticate("Bearer bbbb");
    const after = (await load("bbbb\ncccc\n")).authenticate("Bearer bbbb");
    expect(after).toBe(before);
    expect(before).not.toContain("bbbb");
  });

  test.each([
    ["a token with a blank", "good\nbad token\n", /tokens:2: a token has no blanks/],
    ["a file without a token", "# nothing\n", /holds 0 tokens/],
  ])("%s is refused with its place", async (_what, text, message) => {
    await expect(load(text)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(message) as unknown,
    });
  });

  test("that is not there is refused with its path", async () => {
    const path = join(directory, "missing");
    await expect(TokenAuthenticator.load(path)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(path) as unknown,
    });
  });
});

describe("an Authorization header", () => {
  const tokens = new TokenAuthenticator([
    { name: "first", token: "one" },
    { name: "second", token: "two" },
  ]);

  test.each([
    ["Bearer one", "first"],
    ["bearer two", "second"],
    ["BEARER   one ", "first"],
  ])("%j is accepted", (header, principal) => {
    expect(tokens.authenticate(header)).toBe(principal);
  });

  test.each([
    undefined,
    "",
    "Bearer",
    "Bearer ",
    "Bearer on",
    "Bearer onee",
    "Bearer One",
    "Basic one",
    "one",
    "Bearer one two",
    "Bearer two, Bearer one",
  ])("%j is refused", (header) => {
    expect(tokens.authenticate(header)).toBeUndefined();
  });
});
