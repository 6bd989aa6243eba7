import { foldCase } from "../../core/text-fold.ts";
import { PerOwner } from "../block.ts";
import { STRING_TYPE } from "./attribute-splitter.ts";
import type { ClauseTemplates } from "./clause-dictionary.ts";
import { KEY_END } from "./clause-marks.ts";

/** The texts of all templates of a segment, joined so that one search looks at all of them. */
export interface TemplateTexts {
  /** Texts with a separator behind each; marks stand in the place of slots. */
  readonly text: string;
  /** The same with `foldCase`. */
  readonly folded: () => FoldedTexts;
  /** Where each begins, and the end of the last one. */
  readonly starts: Uint32Array;
}

interface FoldedTexts {
  readonly text: string;
  readonly starts: Uint32Array;
}

/** Stands behind each template's text. Needles that hold it are not looked for in templates. */
export const SEPARATOR = "\u0004";

/** Keeps a byte order mark: it is text as any other. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Texts of a `text` column's templates. */
export const bodyTexts = new PerOwner<ClauseTemplates, TemplateTexts>((templates) =>
  joined(texts(templates, (template) => template)),
);

/** Of an `attributes` column: the string values' texts; of other attributes nothing. */
export const attributeTexts = new PerOwner<ClauseTemplates, TemplateTexts>((templates) =>
  joined(texts(templates, stringValue)),
);

function stringValue(template: Uint8Array): Uint8Array {
  const keyEnd = template.indexOf(KEY_END);
  // Without a key the template is one of the two fixed ones: any bytes at all.
  if (keyEnd < 0) return template;
  return template[keyEnd + 1] === STRING_TYPE ? template.subarray(keyEnd + 2) : NO_BYTES;
}

const NO_BYTES = new Uint8Array(0);

function texts(
  { count, bytes, offsets }: ClauseTemplates,
  part: (template: Uint8Array) => Uint8Array,
): readonly string[] {
  return Array.from({ length: count }, (_, id) =>
    decoder.decode(part(bytes.subarray(offsets[id], offsets[id + 1]))),
  );
}

function joined(all: readonly string[]): TemplateTexts {
  let folded: FoldedTexts | undefined;
  return {
    text: join(all),
    starts: startsOf(all),
    folded: () => {
      if (folded !== undefined) return folded;
      const foldedTexts = all.map((text) => foldCase(text));
      folded = { text: join(foldedTexts), starts: startsOf(foldedTexts) };
      return folded;
    },
  };
}

function join(all: readonly string[]): string {
  return all.map((text) => text + SEPARATOR).join("");
}

function startsOf(all: readonly string[]): Uint32Array {
  const starts = new Uint32Array(all.length + 1);
  for (const [index, text] of all.entries()) {
    starts[index + 1] = starts[index] + text.length + SEPARATOR.length;
  }
  return starts;
}
