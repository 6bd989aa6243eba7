/** Bytes of UTF-8 of one query; a person types far less, and it bounds every list in the tree. */
export const QUERY_BYTES_MAX = 8 * 1024;

/** Parentheses and negations inside each other; bounds the stack of parser, printer and stores. */
export const QUERY_NESTING_MAX = 64;

/** Characters of one regular expression (SEC-013). */
export const REGEX_LENGTH_MAX = 1000;

/** Regular expressions in one query: each is run over every candidate value (SEC-013). */
export const REGEX_COUNT_MAX = 16;

/** Entries that `sort` holds at the most where no `limit` follows it. */
export const SORT_ENTRIES_MAX = 100_000;

/** Groups that `top` keeps where no number is given. */
export const TOP_COUNT_DEFAULT = 10;
