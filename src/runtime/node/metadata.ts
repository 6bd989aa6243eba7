import { AppError } from "../../core/errors.ts";
import type { Parameters } from "../protocol/node-messages.ts";
import { CONTEXT_KEY } from "./trace.ts";

/**
 * The metadata as it travels: without dora-rs's trace context, which the header has already;
 * undefined where nothing is left.
 *
 * Errors: `METADATA_INVALID`, naming the key.
 */
export function metadataToSend(metadata: Parameters | undefined): Parameters | undefined {
  if (metadata === undefined) return undefined;
  let hasAny = false;
  let hasContext = false;
  for (const key in metadata) {
    if (key === CONTEXT_KEY) {
      hasContext = true;
      continue;
    }
    hasAny = true;
    checkValue(key, metadata[key]);
  }
  if (!hasAny) return undefined;
  if (!hasContext) return metadata;
  const { [CONTEXT_KEY]: _, ...rest } = metadata;
  return rest;
}

/** Whoever writes JavaScript may give anything. */
function checkValue(key: string, value: unknown): void {
  if (isScalar(value) || (Array.isArray(value) && value.every(isScalar))) return;
  const found = typeof value === "number" ? String(value) : `a ${typeof value}`;
  throw new AppError("METADATA_INVALID", `metadata "${key}" is ${found}, which cannot be sent`);
}

/** What metadata may have, alone or in a list. */
export function isScalar(value: unknown): value is boolean | number | string {
  return typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}
