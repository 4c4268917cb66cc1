// Sizes and lengths of time as people say them.
import { language, locale } from "../lib/i18n";

const SIZES = [["TB", 1e12], ["GB", 1e9], ["MB", 1e6], ["kB", 1e3]] as const;
const DAY_MS = 86_400_000;
const SPANS = [["year", 365.25, 2], ["month", 30.44, 2], ["week", 7, 2], ["day", 1, 0]] as const; // from so many on

/** A size in decimal units: "11.3 MB". */
export function size(bytes: number): string {
  const [unit, of] = SIZES.find(([, of]) => bytes >= of) ?? ["B", 1];
  return `${new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 }).format(bytes / of)} ${unit}`;
}

/** About how long, in words of the page's language, for they stand in its sentences: "3 years", "5 weeks". */
export function about(ms: number): string {
  const days = Math.max(1, ms / DAY_MS);
  const [unit, of] = SPANS.find(([, of, from]) => days >= of * from) ?? SPANS[3];
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(Math.round(days / of));
}
