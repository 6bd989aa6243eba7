/**
 * The filter tree: what a query asks of one record. Every parser (our language, later LogQL) makes
 * this tree; every store evaluates it. Immutable, plain data, so that it can cross to a worker.
 *
 * A word is a run of `[A-Za-z0-9_]` and of everything from U+0080. "Any case" is simple Unicode
 * case folding (`foldCase`).
 */
export type Filter =
  | { readonly kind: "all" }
  | { readonly kind: "none" }
  | { readonly kind: "and"; readonly of: readonly Filter[] }
  | { readonly kind: "or"; readonly of: readonly Filter[] }
  | { readonly kind: "not"; readonly of: Filter }
  /** Free text: true where body, event name or a string attribute matches. */
  | { readonly kind: "text"; readonly match: TextMatch }
  /** Severity number within `min` to `max`, both inclusive; 0 to 0 is "unspecified". */
  | { readonly kind: "severity"; readonly min: number; readonly max: number }
  | { readonly kind: "field"; readonly field: FieldRef; readonly test: FieldTest };

/** How a piece of text must occur inside a longer one. */
export type TextMatch =
  | {
      readonly kind: "literal";
      /** The text, not folded; never empty. */
      readonly text: string;
      readonly anyCase: boolean;
      /** The match must not continue a word to its left (false: `*tion`). */
      readonly startsAtWord: boolean;
      /** The match must not continue a word to its right (false: `conn*`). */
      readonly endsAtWord: boolean;
    }
  /** RE2 syntax, found anywhere in the text, linear time. */
  | { readonly kind: "regex"; readonly source: string; readonly anyCase: boolean };

/**
 * Which value of a record a test looks at. A record may have several values for one reference
 * (`any` looks at the attribute, then at the resource attribute; `node` at id, then display name):
 * a test holds if it holds for one of them.
 */
export type FieldRef =
  /** `dora.node.id`, else `service.name`; and the display name `dora.node.name`. */
  | { readonly target: "node" }
  /** `dora.dataflow.id` and `dora.dataflow.name`. */
  | { readonly target: "dataflow" }
  | { readonly target: "message" }
  | { readonly target: "event" }
  | { readonly target: "logger" }
  | { readonly target: "level" }
  /** Lower-case hex; absent where the record has no valid id. */
  | { readonly target: "trace_id" }
  | { readonly target: "span_id" }
  | { readonly target: "attribute"; readonly key: string }
  | { readonly target: "resource"; readonly key: string }
  /** A bare name: an attribute or a resource attribute. */
  | { readonly target: "any"; readonly key: string };

/** A test of one value. Text tests see the value's text form (`anyValueToText`). */
export type FieldTest =
  | { readonly op: "exists" }
  /** The whole value equals `text`. */
  | { readonly op: "equals"; readonly text: string; readonly anyCase: boolean }
  /** The whole value matches; `*` stands for any run of characters, there is no escape. */
  | { readonly op: "glob"; readonly pattern: string; readonly anyCase: boolean }
  /** A number, or a string that is one (`"12"`, `"1e3"`), compares so with `value`. */
  | { readonly op: "compare"; readonly comparison: Comparison; readonly value: number }
  /** The value contains a match. */
  | { readonly op: "contains"; readonly match: TextMatch };

export type Comparison = "<" | "<=" | ">" | ">=";
