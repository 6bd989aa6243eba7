import { readJsonLine } from "./json-line.ts";
import type { LineReading } from "./line-reading.ts";
import { NO_ATTRIBUTES } from "./line-reading.ts";
import { readLogfmtLine } from "./logfmt-line.ts";
import { readTextLine } from "./text-line.ts";

/** Colours and other looks, which many loggers write even where nobody sees them. */
const LOOKS = new RegExp(String.raw`\u001b\[[0-9;]*m`, "g");

/** Reads what a line says of itself; a line that says nothing is its own message. */
export function readLine(text: string, nowUnixNs: bigint): LineReading {
  const line = text.includes("\u001b[") ? text.replace(LOOKS, "") : text;
  const reading =
    line.charCodeAt(0) === 0x7b
      ? readJsonLine(line, nowUnixNs)
      : (readTextLine(line, nowUnixNs) ??
        (line.includes("=") ? readLogfmtLine(line, nowUnixNs) : undefined));
  return (
    reading ?? {
      message: line,
      severityNumber: 0,
      severityText: "",
      logger: "",
      traceId: "",
      spanId: "",
      attributes: NO_ATTRIBUTES,
    }
  );
}
