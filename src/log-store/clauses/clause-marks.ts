/**
 * How a value is cut up for storage, and for answering searches from dictionaries:
 *
 *     value     PUT /orders/9106 HTTP/1.1" 204 6659 "curl/8.14.1"
 *     clauses   PUT /orders/9106 HTTP/1.1" │ 204 6659 " │ curl/8.14.1"
 *     template  PUT /orders/▯ HTTP/▯.▯"      its slots: 9106, 1, 1
 *     shape     the value's templates, in order: a few numbers in one dictionary a segment
 *
 * A text is cut behind each `"`, `=` and newline, so that the parts that vary by themselves are
 * counted once each and not in all their combinations. Within a clause, runs of digits and whole
 * words that mix letters and digits are slots; the rest is the template's constant text.
 *
 * A mark stands in a template where a slot is. Clauses that hold these bytes themselves become one
 * slot of kind `ANY_MARK`, so a mark is never text.
 */

/** A run of digits: `9106`, the `17` of `blk_17`. */
export const DIGITS_MARK = 0x00;
/** A whole word that mixes letters and digits: `4bf92f35`, the parts of a UUID. */
export const MIXED_MARK = 0x01;
/** Any bytes of a clause that is not worth a template, or of an attribute's other values. */
export const ANY_MARK = 0x02;
/** Behind an attribute's key, before its value. Not a slot. */
export const KEY_END = 0x03;
/** Marks are below this. */
export const MARKS_END = 0x04;

/** The template of a clause that is one slot of any bytes. */
export const ANY_TEMPLATE = 0;
/** The template of a value that is no text (a structured body, odd attributes): one slot of bytes. */
export const VALUE_TEMPLATE = 1;
/** Templates of these two stand in every dictionary, before all others. */
export const FIXED_TEMPLATES: readonly Uint8Array[] = [
  Uint8Array.of(ANY_MARK),
  Uint8Array.of(ANY_MARK),
];

/** Clauses of one value at the most; the rest of a longer one is its last clause. */
export const CLAUSES_MAX = 250;

/** Slots of one clause at the most; a clause with more is one slot. */
export const CLAUSE_SLOTS_MAX = 1024;

/** Constant text of one template, in bytes; longer clauses are one slot. */
export const TEMPLATE_BYTES_MAX = 4096;

/** Of `LETTER_BITS`: any letter but `a` to `z`. */
export const OTHER_LETTERS_BIT: number = 1 << 26;

/** What a byte is to the splitters. */
export const DELIMITER = 0;
export const LETTER = 1;
export const DIGIT = 2;
/** A delimiter behind which a text is cut. */
export const CUT = 3;
/** A byte that is a mark. */
export const MARK = 4;

export const BYTE_CLASSES: Uint8Array = makeByteClasses();

function makeByteClasses(): Uint8Array {
  const classes = new Uint8Array(256).fill(DELIMITER);
  classes.fill(MARK, 0, MARKS_END);
  classes.fill(LETTER, 0x80);
  classes.fill(LETTER, 0x41, 0x5b);
  classes.fill(LETTER, 0x61, 0x7b);
  classes[0x5f] = LETTER;
  classes.fill(DIGIT, 0x30, 0x3a);
  for (const cut of '\n"=') classes[cut.charCodeAt(0)] = CUT;
  return classes;
}

/**
 * Which letters a word has: a bit for each of `a` to `z` in either case, one for everything else
 * but digits. Of each template the letters of its mixed words are kept, so that a search for part
 * of a word passes over templates whose words cannot hold it. Of `ANY_TEMPLATE` and
 * `VALUE_TEMPLATE` it says, with any bit, that they are in use.
 */
export const LETTER_BITS: Uint32Array = makeLetterBits();

function makeLetterBits(): Uint32Array {
  const bits = new Uint32Array(256);
  bits[0x5f] = OTHER_LETTERS_BIT;
  bits.fill(OTHER_LETTERS_BIT, 0x80);
  for (let letter = 0; letter < 26; letter++) {
    bits[0x61 + letter] = 1 << letter;
    bits[0x41 + letter] = 1 << letter;
  }
  return bits;
}
