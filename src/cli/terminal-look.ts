import { createColors } from "picocolors";

/** The ways in which a piece of text can stand out. Without colour they all look the same. */
export type Style = "plain" | "dim" | "bold" | "error" | "warning" | "success" | "info" | NodeStyle;

/** One of the colours by which nodes are told apart. */
interface NodeStyle {
  readonly node: string;
}

/** What a stream can show. */
export interface TerminalLook {
  readonly isTerminal: boolean;
  /** A terminal that knows no escape sequences: nothing is redrawn. */
  readonly isDumb: boolean;
  readonly icons: Icons;
  /** Puts the style's colour around a text that is clean already. */
  readonly paint: (text: string, style: Style) => string;
}

/** Signs and lines that a locale without UTF-8 cannot show. */
export interface Icons {
  readonly done: string;
  readonly failed: string;
  readonly answered: string;
  readonly hint: string;
  readonly branch: string;
  readonly lastBranch: string;
  readonly trunk: string;
  readonly ellipsis: string;
  /** Within brackets, before a word. */
  readonly tick: string;
  readonly busy: string;
  readonly cross: string;
  readonly live: string;
  /** Before a heading. */
  readonly loading: string;
  readonly tool: string;
  readonly links: string;
  readonly launch: string;
  readonly success: string;
  readonly alarm: string;
  readonly details: string;
  readonly gaveUp: string;
  readonly arrow: string;
  /** Cells of a bar: full, and in work. */
  readonly full: string;
  readonly partly: string;
}

const UTF8_ICONS: Icons = {
  done: "✅",
  failed: "❌",
  answered: "✔",
  hint: "💡",
  branch: "├─ ",
  lastBranch: "└─ ",
  trunk: "│  ",
  ellipsis: "…",
  tick: "✅",
  busy: "🟡",
  cross: "❌",
  live: "✔",
  loading: "⏳",
  tool: "🔧",
  links: "📡",
  launch: "🚀",
  success: "🌟",
  alarm: "🚨",
  details: "📄",
  gaveUp: "🛑",
  arrow: "➔",
  full: "▓",
  partly: "▒",
};

const ASCII_ICONS: Icons = {
  done: "[done]",
  failed: "[failed]",
  answered: "[ok]",
  hint: "[hint]",
  branch: "|- ",
  lastBranch: "`- ",
  trunk: "|  ",
  ellipsis: "...",
  tick: "ok:",
  busy: "..",
  cross: "X",
  live: "+",
  loading: "*",
  tool: "*",
  links: "*",
  launch: "*",
  success: "*",
  alarm: "!!",
  details: "*",
  gaveUp: "!!",
  arrow: "->",
  full: "#",
  partly: "-",
};

type Environment = { readonly [name: string]: string | undefined };

/** Finds out what a stream can show: colour only on a terminal without `NO_COLOR` or `TERM=dumb`. */
export function terminalLook(
  stream: { readonly isTTY?: boolean },
  environment: Environment,
): TerminalLook {
  const isTerminal = stream.isTTY === true;
  const isDumb = environment["TERM"] === "dumb";
  const colors = createColors(isTerminal && !isDumb && !environment["NO_COLOR"]);
  const nodeColors = [
    colors.cyan,
    colors.magenta,
    colors.blue,
    colors.green,
    colors.cyanBright,
    colors.magentaBright,
    colors.blueBright,
    colors.greenBright,
  ];
  return {
    isTerminal,
    isDumb: isDumb || Boolean(environment["NO_COLOR"]),
    icons: isUtf8(environment) ? UTF8_ICONS : ASCII_ICONS,
    paint(text, style) {
      if (typeof style === "object") return nodeColors[hashName(style.node) % 8](text);
      switch (style) {
        case "plain":
          return text;
        case "dim":
          return colors.dim(text);
        case "bold":
          return colors.bold(text);
        case "error":
          return colors.red(text);
        case "warning":
          return colors.yellow(text);
        case "success":
          return colors.green(text);
        case "info":
          return colors.blue(text);
      }
    },
  };
}

/** A locale that says nothing of its encoding counts as UTF-8 only where none is set at all. */
function isUtf8(environment: Environment): boolean {
  const locale = environment["LC_ALL"] || environment["LC_CTYPE"] || environment["LANG"] || "";
  return locale === "" || /utf-?8/i.test(locale);
}

/** FNV-1a: the same name has the same colour in every run and on every machine. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash;
}
