import { stringify } from "yaml";
import { snakeKeys } from "../runtime/coordinator/letter-case.ts";

/** An answer for programs, with its keys in snake_case as the coordinator's API has them. */
export function documentText(format: "json" | "yaml", document: object): string {
  const named = snakeKeys(document);
  return format === "json" ? `${JSON.stringify(named, null, 2)}\n` : stringify(named);
}
