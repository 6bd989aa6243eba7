/** Bytes from outside that are not what they claim to be; answered as bad data (400, code 3). */
export class WireError extends Error {
  /** Where the bytes stop making sense, in bytes from the start of the body. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = "WireError";
    this.offset = offset;
  }
}
