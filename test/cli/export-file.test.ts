import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ExportFile } from "../../src/cli/export-file.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "dora-export-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("a file has its name only once it is complete", async () => {
  const path = join(directory, "out.csv");
  writeFileSync(path, "before");
  const file = await ExportFile.create(path);
  await file.write(Buffer.from("a"));
  await file.write(Buffer.from("b"));
  expect(readFileSync(path, "utf8")).toBe("before");
  await file.complete();
  await file.close();
  expect(readFileSync(path, "utf8")).toBe("ab");
  expect(readdirSync(directory)).toEqual(["out.csv"]);
});

test("a file that was given up leaves nothing", async () => {
  const file = await ExportFile.create(join(directory, "out.csv"));
  await file.write(Buffer.from("a"));
  await file.close();
  expect(readdirSync(directory)).toEqual([]);
});

test("a partial file is kept under a name that says so", async () => {
  const path = join(directory, "out.csv");
  const file = await ExportFile.create(path);
  await file.write(Buffer.from("a"));
  expect(await file.keepPartial()).toBe(`${path}.partial`);
  await file.close();
  expect(existsSync(path)).toBe(false);
  expect(readFileSync(`${path}.partial`, "utf8")).toBe("a");
});

test("a folder that does not exist is refused with the file's name", async () => {
  const path = join(directory, "missing", "out.csv");
  await expect(ExportFile.create(path)).rejects.toMatchObject({ code: "OUTPUT_FAILED" });
});
