/** `google.protobuf.Struct`, as the loader of proto files gives and takes it, to and from plain values. */

type Plain = Readonly<Record<string, unknown>>;

/** Undefined where it is no struct; what is none inside becomes null. */
export function fromStruct(struct: unknown, depth = 0): Plain | undefined {
  if (!isObject(struct)) return undefined;
  const fields = isObject(struct["fields"]) ? struct["fields"] : {};
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, fromValue(value, depth + 1)]),
  );
}

export function toStruct(plain: Plain): object {
  return {
    fields: Object.fromEntries(Object.entries(plain).map(([key, value]) => [key, toValue(value)])),
  };
}

/** Deeper is not shown: attributes of records alone may nest. */
const DEPTH_MAX = 32;

function fromValue(value: unknown, depth: number): unknown {
  if (!isObject(value) || depth > DEPTH_MAX) return null;
  const { stringValue, numberValue, boolValue, listValue, structValue } = value;
  if (isObject(structValue)) return fromStruct(structValue, depth);
  if (!isObject(listValue)) return stringValue ?? numberValue ?? boolValue ?? null;
  const { values } = listValue;
  return Array.isArray(values) ? values.map((item) => fromValue(item, depth + 1)) : [];
}

function toValue(value: unknown): object {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "number") return { numberValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(toValue) } };
  return { nullValue: 0 };
}

function isObject(value: unknown): value is Plain {
  return typeof value === "object" && value !== null;
}
