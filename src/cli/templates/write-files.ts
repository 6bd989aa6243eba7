import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError, errorMessage } from "../../core/errors.ts";
import type { TemplateFile } from "./template.ts";

/** Which of these files are there already. */
export function existingFiles(folder: string, files: readonly TemplateFile[]): readonly string[] {
  return files.map(({ path }) => join(folder, path)).filter((path) => existsSync(path));
}

/**
 * Writes a project's files, and the folders that they need.
 *
 * Errors: `FILE_EXISTS` naming those that are there, before anything is written, unless `isOverwriting`;
 *         `OUTPUT_FAILED`.
 */
export async function writeFiles(
  folder: string,
  files: readonly TemplateFile[],
  { isOverwriting }: { readonly isOverwriting: boolean },
): Promise<void> {
  const existing = isOverwriting ? [] : existingFiles(folder, files);
  if (existing.length > 0) {
    const verb = existing.length === 1 ? "is" : "are";
    throw new AppError("FILE_EXISTS", `${existing.join(", ")} ${verb} there already`);
  }
  for (const { path, text } of files) {
    const file = join(folder, path);
    try {
      await mkdir(dirname(file), { recursive: true });
      // Another program may have made it meanwhile.
      await writeFile(file, text, { flag: isOverwriting ? "w" : "wx" });
    } catch (error) {
      throw new AppError("OUTPUT_FAILED", `cannot write ${file}: ${errorMessage(error)}`, {
        cause: error,
      });
    }
  }
}
