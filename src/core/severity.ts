/**
 * Severity as OTLP numbers it: 1-4 TRACE, 5-8 DEBUG, 9-12 INFO, 13-16 WARN, 17-20 ERROR,
 * 21-24 FATAL, 0 unspecified.
 *
 * Source: OpenTelemetry specification, logs/data-model.md (LOG-001).
 */
export const SEVERITY_BANDS = [
  { name: "TRACE", min: 1, max: 4 },
  { name: "DEBUG", min: 5, max: 8 },
  { name: "INFO", min: 9, max: 12 },
  { name: "WARN", min: 13, max: 16 },
  { name: "ERROR", min: 17, max: 20 },
  { name: "FATAL", min: 21, max: 24 },
] as const;

export type SeverityBand = (typeof SEVERITY_BANDS)[number];

/** The level shown for records without a severity. */
export const SEVERITY_UNSPECIFIED = "UNSPECIFIED";

const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ["warning", "WARN"],
  ["err", "ERROR"],
  ["information", "INFO"],
  ["critical", "FATAL"],
  ["crit", "FATAL"],
]);

/** The band a number lies in, or undefined for 0 and for numbers outside 1 to 24. */
export function severityBand(severityNumber: number): SeverityBand | undefined {
  return SEVERITY_BANDS[Math.floor((severityNumber - 1) / 4)];
}

/** The level's name as it is shown: "ERROR" for 17 to 20, "UNSPECIFIED" for 0. */
export function severityName(severityNumber: number): string {
  return severityBand(severityNumber)?.name ?? SEVERITY_UNSPECIFIED;
}

/** The band that a name means, in any case ("warn", "Warning"), or undefined. */
export function severityBandOf(name: string): SeverityBand | undefined {
  const upper = SYNONYMS.get(name.toLowerCase()) ?? name.toUpperCase();
  return SEVERITY_BANDS.find((band) => band.name === upper);
}
