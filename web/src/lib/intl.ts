// Formats of numbers and times, each made once: making one takes longer than using it a hundred times.
type Numbers = Intl.NumberFormatOptions;
type Times = Intl.DateTimeFormatOptions;

const numbers = new Map<string, Intl.NumberFormat>();
const times = new Map<string, Intl.DateTimeFormat>();

/** As `new Intl.NumberFormat`. */
export function numberFormat(locale: string, options: Numbers = {}): Intl.NumberFormat {
  return once(numbers, locale, options, () => new Intl.NumberFormat(locale, options));
}

/** As `new Intl.DateTimeFormat`. */
export function timeFormat(locale: string, options: Times): Intl.DateTimeFormat {
  return once(times, locale, options, () => new Intl.DateTimeFormat(locale, options));
}

// A page has some dozens of kinds of formats, whatever its values are: nothing has to be forgotten.
function once<T>(known: Map<string, T>, locale: string, options: object, make: () => T): T {
  const key = locale + JSON.stringify(options);
  const made = known.get(key) ?? make();
  known.set(key, made);
  return made;
}

const STEP_MS = 15 * 60_000; // clocks are set on a whole quarter of an hour
const KNOWN_MAX = 1000; // of a chart of some weeks, by the hour
const away = new Map<string, number>();

/** How far a zone's clock is ahead of this browser's at an instant, in milliseconds. */
function ahead(at: number, timeZone: string): number {
  const key = `${timeZone}${Math.floor(at / STEP_MS)}`;
  const known = away.get(key);
  if (known !== undefined) return known;
  const style: Times = { timeZone, year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" };
  const parts = timeFormat("en-US-u-hc-h23", style).formatToParts(at);
  const part = (type: string) => Number(parts.find((each) => each.type === type)?.value);
  const shown = new Date(part("year"), part("month") - 1, part("day"), part("hour"), part("minute")).getTime();
  const found = shown - Math.floor(at / 60_000) * 60_000;
  if (away.size >= KNOWN_MAX) away.clear();
  away.set(key, found);
  return found;
}

/** A date whose local fields read as the zone's clock at an instant, which is how a chart finds whole hours and days. */
export function zoneDate(at: number, timeZone: string): Date {
  return new Date(at + ahead(at, timeZone));
}
