import { AppError } from "../../core/errors.ts";
import { type LogicalSchema, NO_SCHEMA } from "./format.ts";

/** Names that people use for the same type. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["bytes", "uint8"],
  ["boolean", "bool"],
  ["double", "float64"],
  ["float", "float32"],
  ["half", "float16"],
  ["int", "int32"],
  ["long", "int64"],
  ["string", "utf8"],
  ["largeutf8", "utf8"],
  ["largebinary", "binary"],
]);

/**
 * Holds the messages of one output to one logical schema: the declared one, else that of the first
 * message. Messages without a value fit always.
 *
 * Pitfalls: a declared type with a `/` in it, such as `std/media/v1/Image`, is a name that says
 *           nothing of the bytes; then the first message decides.
 */
export class OutputSchema {
  readonly #where: string;
  #source = "its schema is declared as";
  #expected: LogicalSchema | undefined;
  /** The last schema that was found to fit: nearly always the next one too. */
  #lastKey: string | undefined;

  constructor(node: string, output: string, declared?: LogicalSchema) {
    this.#where = `node ${node}, output ${output}`;
    if (typeof declared === "string" && declared.includes("/")) return;
    this.#expected = declared;
  }

  /** Errors: `FORMAT_MISMATCH`, naming node, output and field. */
  check(schema: LogicalSchema): void {
    const key = typeof schema === "string" ? schema : JSON.stringify(schema);
    if (key === this.#lastKey || key === NO_SCHEMA) return;
    if (this.#expected === undefined) {
      this.#expected = schema;
      this.#source = "the first message had";
    } else {
      const difference = differenceOf(this.#expected, schema, this.#source);
      if (difference !== undefined) {
        throw new AppError("FORMAT_MISMATCH", `${this.#where}: ${difference}`);
      }
    }
    this.#lastKey = key;
  }
}

/** In words, or undefined where there is none. */
function differenceOf(
  expected: LogicalSchema,
  found: LogicalSchema,
  source: string,
): string | undefined {
  if (typeof expected === "string" || typeof found === "string") {
    if (typeof expected === "string" && typeof found === "string" && isSame(expected, found)) {
      return undefined;
    }
    return `the value is ${describe(found)}, ${source} ${describe(expected)}`;
  }
  for (const [field, type] of Object.entries(expected)) {
    if (!Object.hasOwn(found, field)) return `field "${field}" is missing, ${source} ${type}`;
    if (!isSame(type, found[field])) {
      return `field "${field}" is ${found[field]}, ${source} ${type}`;
    }
  }
  const extra = Object.keys(found).find((field) => !Object.hasOwn(expected, field));
  if (extra === undefined) return undefined;
  return `field "${extra}" (${found[extra]}) is one too many, ${source} ${describe(expected)}`;
}

function describe(schema: LogicalSchema): string {
  if (typeof schema === "string") return schema;
  const fields = Object.entries(schema).map(([field, type]) => `${field}: ${type}`);
  return `struct<${fields.join(", ")}>`;
}

function isSame(left: string, right: string): boolean {
  return canonical(left) === canonical(right);
}

function canonical(type: string): string {
  const words = type.toLowerCase().replaceAll(/\s+/g, "");
  return words.replaceAll(/[a-z]\w*/g, (word) => ALIASES.get(word) ?? word);
}
