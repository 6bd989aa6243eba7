/** The medians as a picture: a group a question, a bar a contestant, milliseconds on a log scale. */
import type { Comparison } from "./report.ts";
import { toMs, winnerOf } from "./report.ts";

/** Told apart by the colour-blind too (Okabe and Ito). */
const COLOURS: readonly string[] = [
  "#0072b2",
  "#e69f00",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#56b4e9",
];

const WIDTH = 960;
const LEFT = 270;
const RIGHT = 70;
const TOP = 92;
const BAR_HEIGHT = 13;
const GROUP_GAP = 11;
const BOTTOM = 34;

interface Scale {
  /** Powers of ten. */
  readonly from: number;
  readonly to: number;
}

export function toSvg(comparison: Comparison): string {
  const { contestants, questions, recordCount } = comparison;
  const scale = scaleOf(comparison);
  const groupHeight = contestants.length * BAR_HEIGHT + GROUP_GAP;
  const height = TOP + questions.length * groupHeight + BOTTOM;
  const title = `Median time of an answer over ${recordCount.toLocaleString("en")} log records`;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(title, { x: 20, y: 30, attributes: `font-size="17" font-weight="600"` }),
    text("milliseconds, log scale, shorter is better; the fastest of a group in bold", {
      x: 20,
      y: 50,
      attributes: `fill="#555555"`,
    }),
    ...legend(comparison),
    ...grid(scale, height),
    ...questions.flatMap((question, index) =>
      group(comparison, { question, scale, top: TOP + index * groupHeight }),
    ),
    "</svg>",
  ].join("\n")}\n`;
}

function scaleOf({ questions }: Comparison): Scale {
  const medians = questions.flatMap(({ outcomes }) =>
    Object.values(outcomes).flatMap((outcome) =>
      outcome.status === "measured" ? [outcome.timing.medianMs] : [],
    ),
  );
  const from = Math.floor(Math.log10(Math.min(...medians, 1)));
  return { from, to: Math.ceil(Math.log10(Math.max(...medians, 10))) };
}

function toX(ms: number, { from, to }: Scale): number {
  return LEFT + ((Math.log10(ms) - from) / (to - from)) * (WIDTH - LEFT - RIGHT);
}

function legend({ contestants }: Comparison): readonly string[] {
  return contestants.flatMap(({ name, version }, index) => {
    const label = `${name} (${version})`;
    const x = 20 + index * ((WIDTH - 40) / contestants.length);
    return [
      `<rect x="${round(x)}" y="62" width="11" height="11" fill="${colourOf(index)}"/>`,
      text(label, { x: x + 16, y: 72, attributes: `font-size="11"` }),
    ];
  });
}

function grid(scale: Scale, height: number): readonly string[] {
  const powers = Array.from(
    { length: scale.to - scale.from + 1 },
    (_, index) => scale.from + index,
  );
  return powers.flatMap((power) => {
    const x = round(toX(10 ** power, scale));
    return [
      `<line x1="${x}" y1="${TOP - 6}" x2="${x}" y2="${height - BOTTOM}" stroke="#d9d9d9"/>`,
      text(`${10 ** power} ms`, {
        x,
        y: height - BOTTOM + 18,
        attributes: `text-anchor="middle" fill="#555555"`,
      }),
    ];
  });
}

function group(
  comparison: Comparison,
  place: {
    readonly question: Comparison["questions"][number];
    readonly scale: Scale;
    readonly top: number;
  },
): readonly string[] {
  const { question, scale, top } = place;
  const { contestants } = comparison;
  const middle = top + (contestants.length * BAR_HEIGHT) / 2 + 4;
  const winner = winnerOf(question);
  const bars = contestants.flatMap(({ name }, index) => {
    const outcome = question.outcomes[name];
    const y = top + index * BAR_HEIGHT;
    const textY = y + BAR_HEIGHT - 3;
    if (outcome?.status !== "measured") {
      const label = outcome?.status ?? "not asked";
      return [text(label, { x: LEFT + 4, y: textY, attributes: `font-size="10" fill="#777777"` })];
    }
    const { medianMs } = outcome.timing;
    const end = toX(medianMs, scale);
    const weight = name === winner ? ` font-weight="700"` : "";
    return [
      `<rect x="${LEFT}" y="${y}" width="${round(Math.max(end - LEFT, 1))}" height="${BAR_HEIGHT - 2}" fill="${colourOf(index)}"/>`,
      text(toMs(medianMs), { x: end + 4, y: textY, attributes: `font-size="10"${weight}` }),
    ];
  });
  return [
    text(question.name, { x: LEFT - 10, y: middle, attributes: `text-anchor="end"` }),
    ...bars,
  ];
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? "#000000";
}

function text(
  content: string,
  place: { readonly x: number; readonly y: number; readonly attributes: string },
): string {
  return `<text x="${round(place.x)}" y="${round(place.y)}" ${place.attributes}>${escape(content)}</text>`;
}

function round(length: number): number {
  return Math.round(length * 10) / 10;
}

function escape(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
