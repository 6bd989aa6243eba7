import { severityBandOf } from "../../core/severity.ts";

/** Words of other loggers, and where OTLP's numbers place them. */
const WORDS: ReadonlyMap<string, number> = new Map([
  ["verbose", 5],
  ["silly", 1],
  ["http", 5],
  ["success", 9],
  ["notice", 10],
  ["severe", 17],
  ["alert", 19],
  ["panic", 21],
  ["dpanic", 21],
  ["emerg", 24],
  ["emergency", 24],
]);

/** The severity number that a level's name means, in any case; 0 where it is none. */
export function severityOfWord(word: string): number {
  return severityBandOf(word)?.min ?? WORDS.get(word.toLowerCase()) ?? 0;
}

/** pino and bunyan count in tens: 10 trace to 60 fatal. */
export function severityOfTens(level: number): number {
  if (!Number.isFinite(level) || level <= 0) return 0;
  return Math.min(21, Math.max(0, Math.floor(level / 10) - 1) * 4 + 1);
}
