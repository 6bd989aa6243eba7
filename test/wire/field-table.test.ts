import { describe, expect, test } from "vitest";
import { FieldTable } from "../../src/wire/field-table.ts";

function find(table: FieldTable<number>, key: string): number | undefined {
  const bytes = Buffer.from(`<${key}>`);
  return table.find(bytes, 1, bytes.length - 1);
}

describe("a table of field names", () => {
  // Of one length, with the same first and last letter: all hash alike.
  const alike = ["sabs", "sacs", "sads", "saes", "safs"];
  const keys = [...alike, "traceId", "traceState", "ab", "a"];
  const table = new FieldTable(keys.map((key, value) => ({ key, value })));

  test("finds every key, those that hash alike too", () => {
    expect(keys.map((key) => find(table, key))).toEqual(keys.map((_, value) => value));
  });

  test("finds no part of a key, nothing longer and nothing else", () => {
    expect(find(table, "")).toBeUndefined();
    expect(find(table, "traceI")).toBeUndefined();
    expect(find(table, "saas")).toBeUndefined();
    for (let code = 0x20; code < 0x7f; code++) {
      expect(find(table, `ab${String.fromCharCode(code)}`)).toBeUndefined();
    }
  });

  test("an empty one finds nothing", () => {
    expect(find(new FieldTable([]), "a")).toBeUndefined();
  });
});
