// Values as people read them: W or kW, always kWh, by the reader's locale.
import { locale } from "./i18n";
import { numberFormat, timeFormat, zoneDate } from "./intl";

export interface Shown {
  number: string;
  unit: string;
}

const DECIMALS: Record<string, number> = { V: 1, A: 2, Hz: 2, "%": 1, "°C": 1, "°": 1, W: 0, var: 0, VA: 0, "1": 2 };
const ENERGIES = new Set(["Wh", "varh", "VAh"]);
const POWERS = new Set(["W", "var", "VA"]);

function number(value: number, decimals: number): string {
  return numberFormat(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(value);
}

export function shown(value: number, unit: string): Shown {
  if (ENERGIES.has(unit)) return { number: number(value / 1000, 3), unit: `k${unit}` };
  if (POWERS.has(unit)) {
    const size = Math.abs(value);
    if (size >= 999_950) return { number: number(value / 1e6, 2), unit: `M${unit}` };
    if (size >= 9999.5) return { number: number(value / 1000, 2), unit: `k${unit}` };
    return { number: number(value, size < 100 && unit === "W" ? 1 : 0), unit };
  }
  return { number: number(value, DECIMALS[unit] ?? 2), unit: unit === "1" ? "" : unit };
}

export function text(value: number, unit: string): string {
  if (unit === "s") return duration(value);
  const { number, unit: of } = shown(value, unit);
  return of ? `${number} ${of}` : number;
}

/** A power on an axis, where room is short: "0", "500 W", "1.5 kW". */
export function tick(watts: number): string {
  const size = Math.abs(watts);
  const [value, unit] = size >= 1e6 ? [watts / 1e6, "MW"] : size >= 1000 ? [watts / 1000, "kW"] : [watts, "W"];
  if (!value) return "0";
  return `${numberFormat(locale, { maximumFractionDigits: 2 }).format(value)} ${unit}`;
}

/** An amount of money, as it is paid: "CZK 51.42", "51,42 Kč". */
export function money(amount: number, currency: string): string {
  return numberFormat(locale, { style: "currency", currency }).format(amount);
}

// Symbols, not words: a locale's words would stand among the texts of another language.
const TIMES: [number, string][] = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** How long something has run, in its two largest units: "40 min", "1,834 d 17 h". */
export function duration(seconds: number): string {
  const [size, next] = TIMES.map(([size]) => size).filter((size) => seconds >= size || size === 1);
  const rest = size && next ? Math.floor((seconds % size) / next) * next : 0;
  return rest ? `${length(seconds)} ${length(rest)}` : length(seconds);
}

/** A length of time in its largest unit: "3 s", "12 min". */
export function length(seconds: number): string {
  const [size, unit] = TIMES.find(([size]) => seconds >= size) ?? [1, "s"];
  return `${whole(Math.floor(seconds / size))} ${unit}`;
}

/** How long an answer takes: "38 ms", "19.5 s". */
export function latency(seconds: number): string {
  return seconds < 1 ? `${number(seconds * 1000, 0)} ms` : `${number(seconds, 1)} s`;
}

export function whole(value: number): string {
  return numberFormat(locale).format(value);
}

let hours: { of: string; style: "numeric" | "2-digit" } | undefined;

/** How hours are written: "9:05 AM", but "09:05". */
function hourStyle(): "numeric" | "2-digit" {
  if (hours?.of !== locale) {
    const { hour12 } = timeFormat(locale, { hour: "numeric" }).resolvedOptions();
    hours = { of: locale, style: hour12 ? "numeric" : "2-digit" };
  }
  return hours.style;
}

/** A time on a chart's axis, where room is short: "05:15", without AM and PM. */
export function axisTime(at: number, timeZone: string): string {
  const parts = timeFormat(locale, { hour: hourStyle(), minute: "2-digit", timeZone }).formatToParts(at);
  const bare = parts.filter((part) => part.type !== "dayPeriod").map((part) => part.value);
  return bare.join("").trim();
}

/** A day of the site's calendar with its year, for what lies far away: "21 Nov 2027". */
export function date(at: number, timeZone: string): string {
  return timeFormat(locale, { day: "numeric", month: "short", year: "numeric", timeZone }).format(at);
}

/** A time of the site's clock, with the date when it is not today's, and with the year when that is another one. */
export function clock(at: number, timeZone: string, seconds = false): string {
  const [then, now] = [at, Date.now()].map((moment) => zoneDate(moment, timeZone)) as [Date, Date];
  const style: Intl.DateTimeFormatOptions = { hour: hourStyle(), minute: "2-digit", timeZone };
  if (seconds) style.second = "2-digit";
  if (then.toDateString() !== now.toDateString()) Object.assign(style, { day: "numeric", month: "short" });
  if (then.getFullYear() !== now.getFullYear()) style.year = "numeric";
  return timeFormat(locale, style).format(at);
}

/** An hour of a clock, "14:00–15:00". */
export function hourSpan(from: number, timeZone: string): string {
  const time = timeFormat(locale, { hour: hourStyle(), minute: "2-digit", timeZone });
  const to = from + 3_600_000;
  if (zoneDate(from, timeZone).getDate() === zoneDate(to, timeZone).getDate()) return time.formatRange(from, to);
  return `${time.format(from)}–${time.format(to)}`; // of a day's last hour, a range would name both dates
}
