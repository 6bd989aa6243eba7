import type { LogsFlags } from "./logs-flags.ts";

/** A command line that can be typed into a POSIX shell as it stands. */
export function commandLine(words: readonly string[]): string {
  return words.map(quoteWord).join(" ");
}

function quoteWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** The words of the flags that choose records and source, to be given to another command. */
export function selectingFlags(flags: LogsFlags): readonly string[] {
  const words: string[] = [];
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined) words.push(name, value);
  };
  add("--filter", flags.filter);
  add("--level", flags.level);
  for (const name of flags.node ?? []) add("--node", name);
  add("--dataflow", flags.dataflow);
  add("--trace", flags.trace);
  add("--grep", flags.grep);
  add("--since", flags.since);
  add("--until", flags.until);
  add("--url", flags.url);
  add("--data-dir", flags.dataDir);
  add("--token-file", flags.tokenFile);
  return words;
}
