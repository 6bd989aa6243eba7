import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FRAME } from "../../../src/runtime/transports/frame.ts";
import { GUARANTEES } from "../../../src/runtime/transports/guarantees.ts";
import { openTransport } from "../../../src/runtime/transports/open-transport.ts";

const DOCUMENT = readFileSync(new URL("../../../docs/transports.md", import.meta.url), "utf8");

function section(title: string): string {
  return DOCUMENT.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? "";
}

test("docs/transports.md holds the table of what each transport promises", () => {
  const rows = Object.entries(GUARANTEES).map(([name, guarantee]) => {
    const { order, delivery, payloadBytesMax, slowReceiver } = guarantee;
    const bytes = payloadBytesMax.toLocaleString("en");
    const wildcards = guarantee.hasWildcards ? "yes" : "no";
    const cells = [`\`${name}\``, order, delivery, bytes, slowReceiver, wildcards];
    return `| ${[...cells, guarantee.onReconnect].join(" | ")} |`;
  });
  const documented = section("What each promises").split("\n");
  expect(documented.filter((line) => line.startsWith("| `"))).toEqual(rows);
});

test("docs/transports.md holds the types of frames, and a section for each transport", () => {
  const documented = [...section("Frames").matchAll(/^\| (\d+) \| (\w+) \| (?:sender|inbox) \|/gm)];
  expect(documented.map(([, type, name]) => [name, Number(type)])).toEqual(Object.entries(FRAME));
  for (const { kind } of Object.values(GUARANTEES)) expect(section(kind)).not.toBe("");
});

test("each transport opens by its name; one that there is not is told with those there are", async () => {
  for (const [name, guarantees] of Object.entries(GUARANTEES)) {
    const mode = name.endsWith("tasks") ? "tasks" : "events";
    const transport = await openTransport(guarantees.kind, { redis: { mode } });
    expect(transport.guarantees).toBe(guarantees);
    await transport.close();
  }
  const opening = openTransport("pigeon");
  await expect(opening).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  await expect(opening).rejects.toThrow("socket, tcp, websocket");
});
