/** Names of the files in a journal's folder. Numbers grow and are never used again. */

const NAME = /^(\d{12})\.(journal|keys)$/;
const TEMPORARY_SUFFIX = ".tmp";

export function journalFileName(fileNumber: number): string {
  return `${String(fileNumber).padStart(12, "0")}.journal`;
}

export function keysFileName(fileNumber: number): string {
  return `${String(fileNumber).padStart(12, "0")}.keys`;
}

/** Under which a file is written before it gets its name. */
export function temporaryName(name: string): string {
  return name + TEMPORARY_SUFFIX;
}

export type FileName =
  | { readonly kind: "journal" | "keys"; readonly fileNumber: number }
  | { readonly kind: "temporary" }
  /** Not ours: left alone. */
  | { readonly kind: "other" };

export function parseFileName(name: string): FileName {
  const match = NAME.exec(name);
  if (match !== null) {
    return { kind: match[2] === "keys" ? "keys" : "journal", fileNumber: Number(match[1]) };
  }
  const isTemporary =
    name.endsWith(TEMPORARY_SUFFIX) && NAME.test(name.slice(0, -TEMPORARY_SUFFIX.length));
  return { kind: isTemporary ? "temporary" : "other" };
}
