const SIZE = /^(\d+(?:\.\d+)?)\s*(K|M|G)?B?$/i;

/** As dora-rs counts: each step is 1,024. */
const SIZE_FACTORS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["K", 1024],
  ["M", 1024 ** 2],
  ["G", 1024 ** 3],
]);

/** Bytes of a size such as `50MB`, `1.5 KB`, `2g` or `4096`; undefined where it is none. */
export function parseSize(text: string): number | undefined {
  const [, number, unit = ""] = SIZE.exec(text.trim()) ?? [];
  const factor = SIZE_FACTORS.get(unit.toUpperCase());
  if (number === undefined || factor === undefined) return undefined;
  const bytes = Math.floor(Number(number) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
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

/** A piece of a word: between double quotes, between single quotes, or bare. */
const PIECE = /"((?:[^"\\]|\\.)*)"|'([^']*)'|((?:[^\s"'\\]|\\.)+)/gsy;

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
      PIECE.lastIndex = at;
      const match = PIECE.exec(text);
      if (match === null) return undefined;
      const [all, double, single, bare] = match;
      // Between double quotes a backslash stands for itself before all but four characters.
      word +=
        single ??
        double?.replaceAll(/\\([$`"\\])/g, "$1") ??
        bare?.replaceAll(/\\(.)/gs, "$1") ??
        "";
      at += all.length;
    }
    words.push(word);
  }
  return words;
}

/** A default holds no `$`, so that no text is looked through twice. */
const VARIABLE = /\$(?:\$|\{([A-Za-z_]\w*)(?::-([^}$]*))?\}|([A-Za-z_]\w*))/g;

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
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    // As in a shell, a default stands for what is empty too.
    const found = fallback !== undefined && value === "" ? fallback : (value ?? fallback);
    if (found === undefined) onMissing(name);
    return found ?? "";
  });
}
