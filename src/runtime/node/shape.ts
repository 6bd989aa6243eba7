/**
 * Reads values of unknown shape into values of a known one. A node's process must start fast, so that a
 * library of schemas is left out here; keys that are not asked for are passed over.
 */

/** Reads a value; `path` is where it stands, for the message. Errors: `ShapeError`. */
export type Shape<Value> = (value: unknown, path: string) => Value;

export class ShapeError extends Error {}

export const text: Shape<string> = (value, path) => {
  if (typeof value === "string") return value;
  throw new ShapeError(`${path} is no text`);
};

export const number: Shape<number> = (value, path) => {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new ShapeError(`${path} is no number`);
};

export const scalar: Shape<boolean | number | string> = (value, path) => {
  if (typeof value === "boolean" || typeof value === "string") return value;
  return number(value, path);
};

export function oneOf<const Text extends string>(...texts: readonly Text[]): Shape<Text> {
  return (value, path) => {
    const found = texts.find((candidate) => candidate === value);
    if (found !== undefined) return found;
    throw new ShapeError(`${path} is none of ${texts.join(", ")}`);
  };
}

export function list<Value>(item: Shape<Value>): Shape<readonly Value[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new ShapeError(`${path} is no list`);
    return value.map((each: unknown, index) => item(each, `${path}[${index}]`));
  };
}

export function either<Left, Right>(left: Shape<Left>, right: Shape<Right>): Shape<Left | Right> {
  return (value, path) => {
    try {
      return left(value, path);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      return right(value, path);
    }
  };
}

export function record<Value>(item: Shape<Value>): Shape<Readonly<Record<string, Value>>> {
  return (value, path) => {
    const entries = Object.entries(objectOf(value, path));
    return Object.fromEntries(entries.map(([key, each]) => [key, item(each, `${path}.${key}`)]));
  };
}

type Shapes = Readonly<Record<string, Shape<unknown>>>;
type Values<Of extends Shapes> = {
  readonly [Key in keyof Of]: Of[Key] extends Shape<infer Value> ? Value : never;
};

/** All keys must be there. */
export function object<Required extends Shapes>(required: Required): Shape<Values<Required>> {
  const entries = Object.entries(required);
  const isComplete = (read: object): read is Values<Required> =>
    entries.every(([key]) => key in read);
  return (value, path) => {
    const found = objectOf(value, path);
    const read: Record<string, unknown> = {};
    for (const [key, shape] of entries) read[key] = shape(found[key], `${path}.${key}`);
    if (!isComplete(read)) throw new ShapeError(`${path} is not whole`);
    return read;
  };
}

/** Keys of `optional` are left out where they are undefined. */
export function objectWith<Required extends Shapes, Optional extends Shapes>(
  required: Required,
  optional: Optional,
): Shape<Values<Required> & Partial<Values<Optional>>> {
  const readRequired = object(required);
  const entries = Object.entries(optional);
  return (value, path) => {
    const found = objectOf(value, path);
    const read: Partial<Values<Optional>> = {};
    for (const [key, shape] of entries) {
      if (found[key] === undefined) continue;
      Object.assign(read, { [key]: shape(found[key], `${path}.${key}`) });
    }
    return { ...readRequired(value, path), ...read };
  };
}

/** Errors: `ShapeError`. */
export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
  } catch {
    throw new ShapeError("it is no JSON");
  }
}

function objectOf(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (isObject(value)) return value;
  throw new ShapeError(`${path} is no object`);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
