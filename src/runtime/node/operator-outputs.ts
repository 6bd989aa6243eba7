import { AppError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest-name.ts";
import type { OperatorConfig, Parameters } from "../protocol/node-messages.ts";
import {
  type FromOperator,
  fromThreadError,
  handOver,
  localPort,
  type ToOperator,
} from "./operator-messages.ts";
import { encodeValue, type EncodedMessage } from "./value-encoding.ts";

type Post = (message: FromOperator, transfer: readonly ArrayBuffer[]) => void;

/** The outputs of an operator, in its thread: values are encoded here, and handed to the node's thread. */
export class OperatorOutputs {
  readonly #operator: string;
  readonly #post: Post;
  readonly #isHandling: () => boolean;
  /** The node's names, by the operator's. */
  readonly #names: ReadonlyMap<string, string>;
  /** Outputs whose messages several receive. */
  readonly #shared = new Set<string>();
  /** Sends that were not answered yet. */
  readonly #sends = new Map<
    number,
    { readonly output: string; readonly sent: PromiseWithResolvers<void> }
  >();
  #count = 0;

  constructor({ id, outputs }: OperatorConfig, isHandling: () => boolean, post: Post) {
    this.#operator = id;
    this.#names = new Map(outputs.map((name) => [localPort(id, name), name]));
    this.#isHandling = isHandling;
    this.#post = post;
  }

  /** Errors: those of `SendOutput`. */
  async send(id: string, value: unknown, metadata: Parameters | undefined): Promise<void> {
    const output = this.#find(id);
    const isWithinEvent = this.#isHandling();
    if (value instanceof Uint8Array) checkNotHandedOver(value, id);
    const encoding = encodeValue(value);
    const encoded = encoding instanceof Promise ? await encoding : encoding;
    await this.#sendEncoded(output, encoded, { metadata, isWithinEvent });
  }

  settle({ send, isShared, error }: Extract<ToOperator, { readonly type: "sent" }>): void {
    const waiting = this.#sends.get(send);
    if (waiting === undefined) return;
    this.#sends.delete(send);
    if (isShared) this.#shared.add(waiting.output);
    else this.#shared.delete(waiting.output);
    if (error === undefined) waiting.sent.resolve();
    else waiting.sent.reject(fromThreadError(error));
  }

  #find(id: string): string {
    const output = this.#names.get(id);
    if (output !== undefined) return output;
    const known = [...this.#names.keys()];
    const list = known.length === 0 ? "it has none" : `it has ${known.join(", ")}`;
    const near = didYouMean(id, known);
    const message = `operator ${this.#operator} has no output "${id}"; ${list}${near}`;
    throw new AppError("OUTPUT_UNKNOWN", message);
  }

  #sendEncoded(
    output: string,
    { encoding, schema, payload }: EncodedMessage,
    rest: { readonly metadata: Parameters | undefined; readonly isWithinEvent: boolean },
  ): Promise<void> {
    const piece = payload instanceof Uint8Array ? payload : Buffer.concat(payload);
    const { bytes, transfer } = handOver(piece, this.#shared.has(output));
    this.#count++;
    const sent = Promise.withResolvers<void>();
    this.#sends.set(this.#count, { output, sent });
    const message = { encoding, schema, payload: bytes };
    this.#post({ type: "send", send: this.#count, output, message, ...rest }, transfer);
    return sent.promise;
  }
}

/** Errors: `VALUE_UNSUPPORTED`: an empty message in its place would be a riddle. */
function checkNotHandedOver({ buffer }: Uint8Array, output: string): void {
  if (!(buffer instanceof ArrayBuffer) || !buffer.detached) return;
  throw new AppError(
    "VALUE_UNSUPPORTED",
    `the memory for output "${output}" was handed over with an earlier message: send a copy (\`bytes.slice()\`) first, or use a SharedArrayBuffer`,
  );
}
