import { expect } from "vitest";
import { AppError } from "../../src/core/errors.ts";

/** Expects that reading fails with `QUERY_SYNTAX` at `position`, and that the message says `says`. */
export function expectSyntaxError(
  read: () => unknown,
  failure: { readonly position: number; readonly says: string | RegExp },
): void {
  let thrown: unknown;
  try {
    read();
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof AppError)) expect.fail(`no AppError: ${String(thrown)}`);
  expect(thrown.code).toBe("QUERY_SYNTAX");
  expect(thrown.message).toMatch(failure.says);
  expect(thrown.position, thrown.message).toBe(failure.position);
}
