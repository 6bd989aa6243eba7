import { readFileSync } from "node:fs";

/** The version of this package, from its package.json; "unknown" where there is none. */
export function readVersion(): string {
  // The same way up from src/cli/ and from dist/cli/.
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const parsed: unknown = JSON.parse(text);
  const hasVersion = typeof parsed === "object" && parsed !== null && "version" in parsed;
  return hasVersion && typeof parsed.version === "string" ? parsed.version : "unknown";
}
