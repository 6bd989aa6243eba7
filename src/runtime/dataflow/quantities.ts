const SIZE = /^(\d+(?:\.\d+)?)\s*([KMGT]?i?B?)$/i;

/** Decimal and binary multiples, as users write them. */
const FACTORS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["k", 1e3],
  ["kb", 1e3],
  ["kib", 2 ** 10],
  ["m", 1e6],
  ["mb", 1e6],
  ["mib", 2 ** 20],
  ["g", 1e9],
  ["gb", 1e9],
  ["gib", 2 ** 30],
  ["t", 1e12],
  ["tb", 1e12],
  ["tib", 2 ** 40],
]);

/** Bytes of a size such as `50MB`, `1.5 GiB` or `4096`; undefined where it is none. */
export function parseSize(text: string): number | undefined {
  const [, number, unit] = SIZE.exec(text.trim()) ?? [];
  const factor = FACTORS.get((unit ?? "?").toLowerCase());
  if (number === undefined || factor === undefined) return undefined;
  const bytes = Number(number) * factor;
  return Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : undefined;
}

const TIMER_UNITS: ReadonlyMap<string, number> = new Map([
  ["secs", 1e9],
  ["millis", 1e6],
  ["micros", 1e3],
  ["nanos", 1],
]);
const TIMER = /^dora\/timer\/(secs|millis|micros|nanos|hz)\/(\d+(?:\.\d+)?)$/;

/** What fits a `setTimeout`, and a flow that ticks more rarely is no flow. */
const TIMER_MAX_NS = 24 * 3600 * 1e9;

/** Nanoseconds of `dora/timer/millis/10` or `dora/timer/hz/30`; undefined where it is no such thing. */
export function parseTimer(source: string): number | undefined {
  const [, unit, text] = TIMER.exec(source) ?? [];
  if (unit === undefined || text === undefined) return undefined;
  const number = Number(text);
  const intervalNs = unit === "hz" ? 1e9 / number : number * (TIMER_UNITS.get(unit) ?? 0);
  return intervalNs >= 1 && intervalNs <= TIMER_MAX_NS ? Math.round(intervalNs) : undefined;
}

const WORD = /"((?:[^"\\]|\\.)*)"|'([^']*)'|((?:[^\s"'\\]|\\.)+)/gsy;

/** Words of a command line, quoted as in a POSIX shell; undefined where a quote does not end. */
export function splitWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text.charAt(at))) {
      at += 1;
      continue;
    }
    let word = "";
    while (at < text.length && !/\s/.test(text.charAt(at))) {
      WORD.lastIndex = at;
      const match = WORD.exec(text);
      if (match === null) return undefined;
      const [all, double, single, bare] = match;
      word += single ?? (double ?? bare ?? "").replaceAll(/\\(.)/gs, "$1");
      at += all.length;
    }
    words.push(word);
  }
  return words;
}

const VARIABLE = /\$(?:\$|\{([A-Za-z_]\w*)(?::-([^}]*))?\}|([A-Za-z_]\w*))/g;

/**
 * Puts variables into a text: `$NAME`, `${NAME}`, `${NAME:-default}`; `$$` is one `$`. One that is not
 * set is empty, as in a shell, and `onMissing` is told its name.
 */
export function expandVariables(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
  onMissing: (name: string) => void,
): string {
  return text.replaceAll(VARIABLE, (all, braced?: string, fallback?: string, plain?: string) => {
    if (all === "$$") return "$";
    const name = braced ?? plain ?? "";
    const value = environment[name] ?? fallback;
    if (value === undefined) onMissing(name);
    return value ?? "";
  });
}
