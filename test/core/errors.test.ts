import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AppError, errorMessage, ERRORS } from "../../src/core/errors.ts";

const DOCUMENT = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");

test("docs/errors.md holds the table of codes, statuses and hints", () => {
  const rows = Object.entries(ERRORS).map(
    ([code, { httpStatus, hint }]) => `| \`${code}\` | ${httpStatus} | ${hint} |`,
  );
  const documented = DOCUMENT.split("\n").filter((line) => line.startsWith("| `"));
  expect(documented).toEqual(rows);
});

test("codes stand in the order of the alphabet, so that each is found and none twice", () => {
  const codes = Object.keys(ERRORS);
  expect(codes).toEqual(codes.toSorted());
});

test("an error has its code's hint, unless it is given one that knows more", () => {
  expect(new AppError("NOT_FOUND", "no trace").hint).toBe(ERRORS.NOT_FOUND.hint);
  expect(new AppError("NOT_FOUND", "no trace", { hint: "look there" }).hint).toBe("look there");
});

test("an error keeps its cause and the position in the user's text", () => {
  const cause = new Error("first");
  const error = new AppError("QUERY_SYNTAX", "second", { cause, position: 7 });
  expect(error).toMatchObject({ cause, position: 7, code: "QUERY_SYNTAX", message: "second" });
  expect(new AppError("INTERNAL", "alone")).not.toHaveProperty("cause");
});

test("anything thrown has a message", () => {
  expect(errorMessage(new Error("text"))).toBe("text");
  expect(errorMessage("thrown text")).toBe("thrown text");
  expect(errorMessage(undefined)).toBe("undefined");
});
