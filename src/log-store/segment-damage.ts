/** Bytes of a segment that are not what was written. Names the file and what is lost. */
export class SegmentDamage extends Error {
  readonly path: string;

  constructor(path: string, what: string, cause?: unknown) {
    super(`${path}: ${what}`, { cause });
    this.name = "SegmentDamage";
    this.path = path;
  }
}
