/** In a file of its own: apache-arrow must not be loaded before. */
import { expect, test } from "vitest";
import { encodeValue } from "../../../src/runtime/node/value-encoding.ts";

test("values keep their order while the first Arrow value loads its library", async () => {
  const order: string[] = [];
  const values = [Float32Array.of(1), Uint8Array.of(2), undefined, Float32Array.of(3)];
  await Promise.all(
    values.map(async (value) => {
      const encoded = encodeValue(value);
      order.push((encoded instanceof Promise ? await encoded : encoded).encoding);
    }),
  );
  expect(order).toEqual(["arrow", "bytes", "none", "arrow"]);
  expect(encodeValue(Uint8Array.of(4))).toMatchObject({ encoding: "bytes", schema: "uint8" });
});
