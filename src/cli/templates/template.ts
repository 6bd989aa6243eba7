/** A file that `dora init` or `dora new` writes. */
export interface TemplateFile {
  /** Within the project's folder, with `/`. */
  readonly path: string;
  readonly text: string;
}
