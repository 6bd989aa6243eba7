import { makeVector, type Vector } from "apache-arrow";
import type { EncodedValue } from "./format.ts";

export type PrimitiveArray =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** Streams of so many types and lengths are remembered. */
const TEMPLATES_MAX = 64;

/** After the batch: the mark of the end of a stream. */
const END_BYTES = 8;

interface Template {
  readonly schema: string;
  /** All before the array's own bytes, and all after them. */
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/**
 * Streams of primitive arrays. All that such a stream holds beside the array's own bytes depends on
 * type and length alone, so it is made once:
 *
 *     schema | batch: lengths, offsets | the array | padding | end
 *     └──────── before ────────┘          └─── after ──┘
 *
 * A node that sends arrays of one length then sends each without a copy, in a microsecond.
 */
export class ArrowTemplates {
  readonly #encode: (vector: Vector) => Uint8Array;
  readonly #templates = new Map<string, Template>();

  constructor(encode: (vector: Vector) => Uint8Array) {
    this.#encode = encode;
  }

  /** The payload views the array's memory. Errors: `VALUE_UNSUPPORTED` has no reason here. */
  encode(array: PrimitiveArray): EncodedValue {
    const key = `${array.constructor.name}:${array.length}`;
    let template = this.#templates.get(key);
    if (template === undefined) {
      template = this.#make(array);
      if (this.#templates.size >= TEMPLATES_MAX) this.#templates.clear();
      this.#templates.set(key, template);
    }
    const bytes = bytesOf(array);
    return { payload: [template.before, bytes, template.after], schema: template.schema };
  }

  #make(array: PrimitiveArray): Template {
    const vector: Vector = makeVector(array instanceof Uint8ClampedArray ? bytesOf(array) : array);
    const stream = this.#encode(vector);
    // The array is the batch's only buffer that is not empty: it begins where the batch's head ends.
    const start = bodyStart(stream);
    return {
      schema: String(vector.type).toLowerCase(),
      before: stream.slice(0, start),
      after: stream.slice(start + array.byteLength),
    };
  }
}

function bytesOf(array: PrimitiveArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Messages of a stream: mark (4 bytes), bytes of the head (4), head, body. The schema has no body. */
function bodyStart(stream: Uint8Array): number {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const schemaEnd = 8 + view.getInt32(4, true);
  const start = schemaEnd + 8 + view.getInt32(schemaEnd + 4, true);
  return Math.min(start, stream.length - END_BYTES);
}
