import { z } from "zod";

/** Shapes of a profiles file. A message says what to give; what was found is put before it. */

const text = z.string("give a text").min(1, "give a text");
const truth = z.boolean("give true or false");

/** As a coordinator takes the name of a dataflow, and a shell a word. */
const NAME = /^\w[\w.-]{0,99}$/;

const profile = z.strictObject(
  {
    file: text.optional(),
    name: text.regex(NAME, "a name has at most 100 letters, digits, `_`, `-` and `.`").optional(),
    environment: z
      .record(
        z.string().regex(/^[^=\s\0]+$/, "the name of a variable has no `=` and no white space"),
        z.union([z.string(), z.number(), z.boolean()], "give a text, a number, true or false"),
        "give a map of names to values",
      )
      .optional(),
    build: truth.optional(),
    attach: truth.optional(),
    coordinator: text.optional(),
    token_file: text.optional(),
  },
  "a profile is a map, such as `file: dataflow.yaml`",
);

export const ProfilesFile = z.strictObject(
  {
    profiles: z.record(
      z.string().regex(NAME, "a profile's name has at most 100 letters, digits, `_`, `-` and `.`"),
      profile,
      "give a map of names to profiles",
    ),
  },
  "a profiles file is a map with `profiles`",
);

export type ProfileContent = z.infer<typeof profile>;
