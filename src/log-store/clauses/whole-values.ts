import type { BytesColumn } from "../block.ts";
import { bytesColumn } from "../block.ts";

/** Every value of a column, one behind the other: for readers that want all of them. */
export class WholeValues {
  readonly column: BytesColumn;
  readonly byteLength: number;

  constructor(reader: { readonly bytes: Uint8Array; read(row: number): number }, rows: number) {
    const offsets = new Uint32Array(rows + 1);
    let data = new Uint8Array(64 * Math.max(rows, 64));
    for (let row = 0; row < rows; row++) {
      const start = offsets[row];
      const length = reader.read(row);
      if (start + length > data.length) {
        const larger = new Uint8Array(2 * (start + length));
        larger.set(data.subarray(0, start));
        data = larger;
      }
      if (length > 0) data.set(reader.bytes.subarray(0, length), start);
      offsets[row + 1] = start + length;
    }
    this.column = bytesColumn(data.subarray(0, offsets[rows]), offsets, 0, rows);
    this.byteLength = data.byteLength + offsets.byteLength;
  }
}
