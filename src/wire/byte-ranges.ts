/**
 * A list of byte ranges in one source, reused from record to record so that decoding allocates
 * nothing. Ranges that touch are joined: fields of one kind mostly stand together on the wire.
 */
export class ByteRanges {
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  count = 0;
  /** Sum of the ranges' lengths. */
  byteLength = 0;

  clear(): void {
    this.count = 0;
    this.byteLength = 0;
  }

  push(start: number, end: number): void {
    this.byteLength += end - start;
    if (this.count > 0 && this.ends[this.count - 1] === start) {
      this.ends[this.count - 1] = end;
      return;
    }
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.count += 1;
  }

  /** Copies all ranges of `source` one behind the other to `target`, and returns the end. */
  copy(source: Uint8Array, target: Uint8Array, offset: number): number {
    let end = offset;
    for (let index = 0; index < this.count; index++) {
      end = copyBytes(source, this.starts[index], this.ends[index], target, end);
    }
    return end;
  }
}

/** Below this a loop is faster than `TypedArray.set` on a subarray, which allocates a view. */
const SHORT_COPY_BYTES = 48;

/** Copies `source[start, end)` to `target` at `offset`, and returns the end in the target. */
export function copyBytes(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  offset: number,
): number {
  const length = end - start;
  if (length <= SHORT_COPY_BYTES) {
    for (let index = 0; index < length; index++) target[offset + index] = source[start + index];
  } else {
    target.set(source.subarray(start, end), offset);
  }
  return offset + length;
}
